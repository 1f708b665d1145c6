// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/schema.h"

const char kc_schema_text[] =
#include "schema.inc"
	;
