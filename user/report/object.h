/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* JSON lines of commands that have no report: one object each. */
#ifndef KC_REPORT_OBJECT_H
#define KC_REPORT_OBJECT_H

#include <json-c/json.h>
#include <stdio.h>

/* Of this type, with the schema's name. */
struct json_object *kc_object_new(const char *type);

/* NULL, which JSON knows too, for NULL and "". */
struct json_object *kc_object_text(const char *text);

/* Takes the object. 0, or -EIO if something could not be written. */
int kc_object_print(struct json_object *object, FILE *out);

/* Is all of it out? 0 or -errno. */
int kc_object_flush(FILE *out);

#endif
