// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/plans.h"

#include <errno.h>
#include <inttypes.h>

#include "report/object.h"

void kc_plan_totals_add(struct kc_plan_totals *totals, const struct kc_plan *plan)
{
	totals->functions++;
	totals->by_reason[plan->reason]++;
}

static void add_offset(struct json_object *array, uint64_t addr, const struct kc_sym *sym)
{
	json_object_array_add(array, json_object_new_int64(addr - sym->addr));
}

static int print_json(const struct kc_kernel *kernel, const struct kc_plan *plan, bool addresses,
		      FILE *out)
{
	struct json_object *object = kc_object_new("plan"), *seals = json_object_new_array();
	struct json_object *checks = json_object_new_array();
	char rule[24], address[24];

	json_object_object_add(object, "function",
			       kc_object_text(kc_sym_name(kernel->ksyms, plan->sym)));
	json_object_object_add(object, "module",
			       kc_object_text(kc_sym_module(kernel->ksyms, plan->sym)));
	if (addresses) {
		snprintf(address, sizeof(address), "0x%" PRIx64, plan->sym->addr);
		json_object_object_add(object, "address", kc_object_text(address));
	}
	json_object_object_add(object, "size", json_object_new_int64(plan->sym->size));
	json_object_object_add(object, "slot",
			       plan->reason == KC_PLAN_OK
				       ? kc_object_text(kc_slot_rule_text(&plan->rule, rule))
				       : NULL);
	json_object_object_add(object, "reason",
			       plan->reason == KC_PLAN_OK
				       ? NULL
				       : kc_object_text(kc_plan_reason_text(plan->reason)));
	for (size_t i = 0; i < plan->nr_seals; i++)
		add_offset(seals, plan->seals[i], plan->sym);
	for (size_t i = 0; i < plan->nr_checks; i++)
		add_offset(checks, plan->checks[i].compare, plan->sym);
	json_object_object_add(object, "seals", seals);
	json_object_object_add(object, "checks", checks);
	return kc_object_print(object, out);
}

void kc_plans_print_header(FILE *out)
{
	fprintf(out, "%-44s %6s  %-12s %s\n", "FUNCTION", "SIZE", "SLOT", "SEAL / CHECKS");
}

/* A check in the .cold part lies elsewhere: "cold+0x12". */
static void print_offset(const struct kc_plan *plan, uint64_t addr, FILE *out)
{
	if (addr >= plan->cold && addr < plan->cold_end)
		fprintf(out, " cold+0x%lx", addr - plan->cold);
	else
		fprintf(out, " +0x%lx", addr - plan->sym->addr);
}

static int print_plan(const struct kc_kernel *kernel, const struct kc_plan *plan, FILE *out)
{
	const char *module = kc_sym_module(kernel->ksyms, plan->sym);
	char name[160], rule[24];

	snprintf(name, sizeof(name), "%s%s%s%s", kc_sym_name(kernel->ksyms, plan->sym),
		 *module ? " [" : "", module, *module ? "]" : "");
	fprintf(out, "%-44s %6u  ", name, plan->sym->size);
	if (plan->reason != KC_PLAN_OK) {
		fprintf(out, "%-12s %s\n", "-", kc_plan_reason_text(plan->reason));
		return ferror(out) ? -EIO : 0;
	}
	fprintf(out, "%-12s", kc_slot_rule_text(&plan->rule, rule));
	for (size_t i = 0; i < plan->nr_seals; i++)
		print_offset(plan, plan->seals[i], out);
	fprintf(out, " /");
	for (size_t i = 0; i < plan->nr_checks; i++)
		print_offset(plan, plan->checks[i].compare, out);
	fprintf(out, "\n");
	return ferror(out) ? -EIO : 0;
}

int kc_plans_print(const struct kc_kernel *kernel, const struct kc_plan *plan, bool json,
		   bool addresses, FILE *out)
{
	return json ? print_json(kernel, plan, addresses, out) : print_plan(kernel, plan, out);
}

static size_t guarded(const struct kc_plan_totals *totals)
{
	return totals->functions - totals->by_reason[KC_PLAN_UNGUARDED] -
	       totals->by_reason[KC_PLAN_NOT_COMPILED];
}

int kc_plans_print_totals(const struct kc_plan_totals *totals, bool json, FILE *out)
{
	if (json) {
		struct json_object *object = kc_object_new("plans");
		struct json_object *reasons = json_object_new_object();

		json_object_object_add(object, "functions",
				       json_object_new_int64(totals->functions));
		json_object_object_add(object, "guarded", json_object_new_int64(guarded(totals)));
		for (size_t i = 0; i < KC_PLAN_NR_REASONS; i++)
			json_object_object_add(reasons, kc_plan_reason_text(i),
					       json_object_new_int64(totals->by_reason[i]));
		json_object_object_add(object, "by_reason", reasons);
		json_object_object_add(object, "seconds", json_object_new_double(totals->seconds));
		kc_object_print(object, out);
		return kc_object_flush(out);
	}
	fprintf(out, "%zu guarded of %zu functions: %zu planned", guarded(totals),
		totals->functions, totals->by_reason[KC_PLAN_OK]);
	for (size_t i = 0; i < KC_PLAN_NR_REASONS; i++)
		if (totals->by_reason[i] && i != KC_PLAN_OK && i != KC_PLAN_UNGUARDED &&
		    i != KC_PLAN_NOT_COMPILED)
			fprintf(out, ", %zu %s", totals->by_reason[i], kc_plan_reason_text(i));
	fprintf(out, "; %.2f s\n", totals->seconds);
	return kc_object_flush(out);
}
