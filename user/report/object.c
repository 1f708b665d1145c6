// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/object.h"

#include <errno.h>

#include "report/report.h"

struct json_object *kc_object_new(const char *type)
{
	struct json_object *object = json_object_new_object();

	json_object_object_add(object, "schema", kc_object_text(KC_SCHEMA));
	json_object_object_add(object, "type", kc_object_text(type));
	return object;
}

struct json_object *kc_object_text(const char *text)
{
	return text && *text ? json_object_new_string(text) : NULL;
}

int kc_object_print(struct json_object *object, FILE *out)
{
	fprintf(out, "%s\n",
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							       JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
	return ferror(out) ? -EIO : 0;
}

int kc_object_flush(FILE *out)
{
	return fflush(out) || ferror(out) ? (errno ? -errno : -EIO) : 0;
}
