// SPDX-License-Identifier: GPL-2.0-only
/* ORC tables of any content: read, find, turn into rules. */
#include "fuzz.h"

#include "stack/cfi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kc_orc_table table;
	struct fuzz fuzz;
	size_t count;

	if (size < 2)
		return 0;
	fuzz_begin(&fuzz, 4096);
	count = (size - 2) / 10;
	fuzz.windows[0] = (struct window){ ORC_IP, data + 2, count * 4 };
	fuzz.windows[1] = (struct window){ ORC, data + 2 + count * 4, count * 6 };
	/* data[1] off by a few: a count that does not fit what is there. */
	if (!kc_orc_table_read(&fuzz.mem, ORC_IP, ORC, count + (data[1] & 3), data[0] % 5,
			       &table)) {
		for (size_t i = 0; i < table.count; i++) {
			uint64_t pc = table.ip_addr + 4 * i + (int64_t)table.ip[i];
			struct kc_cfi_row row;
			struct kc_orc orc;

			require(kc_orc_find(&table, pc, &orc));
			require(orc.type <= KC_ORC_BAD && orc.sp_reg <= KC_ORC_REG_BAD);
			row = kc_cfi_of_orc(&orc);
			require(row.caller <= KC_CALLER_BAD && row.bp <= KC_BP_BAD);
			require(orc.type != KC_ORC_CALL || orc.sp_reg != KC_ORC_REG_BAD ||
				row.caller == KC_CALLER_BAD);
		}
		kc_orc_table_free(&table);
	}
	fuzz_end(&fuzz);
	return 0;
}
