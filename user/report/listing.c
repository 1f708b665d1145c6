// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/listing.h"

int kc_print_listing(const struct kc_kernel *kernel, const struct kc_plan *plan, uint64_t here,
		     enum kc_listing_scope scope, FILE *out)
{
	struct kc_listing listing kc_auto(kc_listing_free) = {};
	int err = kc_listing(kernel, plan, here, scope, &listing);

	for (size_t i = 0; !err && i < listing.count; i++) {
		const struct kc_listing_row *row = &listing.rows[i];
		bool note = row->note[0];

		fprintf(out, "%c +0x%-5lx %-*s%s%s\n", row->bar, row->offset, note ? 42 : 0,
			row->text, note ? " <- " : "", row->note);
		if (row->more)
			fprintf(out, "  ...\n");
	}
	return err;
}
