/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KC_REPORT_SCHEMA_H
#define KC_REPORT_SCHEMA_H

/* schema.json: what each JSON line holds, a JSON schema (draft 2020-12). */
extern const char kc_schema_text[];

#endif
