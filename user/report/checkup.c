// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/checkup.h"

#include "report/object.h"

static const char *weight_name(enum kc_weight weight)
{
	static const char *const names[] = {
		[KC_WEIGHT_VITAL] = "vital",
		[KC_WEIGHT_PART] = "part",
		[KC_WEIGHT_ASIDE] = "aside",
	};

	return names[weight];
}

static void add_said(struct json_object *object, const char *name, const char *text)
{
	json_object_object_add(object, name, kc_object_text(text));
}

static void print_objects(const struct kc_checkup *checkup, const char *sentence, FILE *out)
{
	struct json_object *last = kc_object_new("checkup");

	for (size_t i = 0; i < checkup->count; i++) {
		const struct kc_exam *exam = &checkup->exams[i];
		struct json_object *object = kc_object_new("exam");

		add_said(object, "what", exam->what);
		add_said(object, "answer", kc_answer_name(exam->answer));
		add_said(object, "weight", weight_name(exam->weight));
		add_said(object, "found", exam->found);
		add_said(object, "without", exam->without);
		add_said(object, "remedy", exam->remedy);
		kc_object_print(object, out);
	}
	json_object_object_add(last, "status", json_object_new_int(kc_checkup_exit(checkup)));
	add_said(last, "sentence", sentence);
	kc_object_print(last, out);
}

static void print_table(const struct kc_checkup *checkup, const char *sentence, FILE *out)
{
	for (size_t i = 0; i < checkup->count; i++) {
		const struct kc_exam *exam = &checkup->exams[i];

		fprintf(out, "%-40s %-8s %s\n", exam->what, kc_answer_name(exam->answer),
			exam->found);
		if (exam->answer != KC_ANSWER_NO)
			continue;
		fprintf(out, "%-40s          without it: %s\n", "", exam->without);
		if (*exam->remedy)
			fprintf(out, "%-40s          how to get it: %s\n", "", exam->remedy);
	}
	fprintf(out, "\n%s\n", sentence);
}

int kc_checkup_print(const struct kc_checkup *checkup, bool json, FILE *out)
{
	char sentence[1024];

	kc_checkup_sentence(checkup, sentence, sizeof(sentence));
	if (json)
		print_objects(checkup, sentence, out);
	else
		print_table(checkup, sentence, out);
	return kc_object_flush(out);
}
