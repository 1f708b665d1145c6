// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/command.h"

const struct kc_command *const kc_commands[] = {
	&kc_cmd_watch,	   &kc_cmd_audit,   &kc_cmd_record, &kc_cmd_replay,
	&kc_cmd_functions, &kc_cmd_explain, &kc_cmd_prove,  &kc_cmd_doctor,
	&kc_cmd_held,	   &kc_cmd_release, &kc_cmd_schema, NULL
};
