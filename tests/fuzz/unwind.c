// SPDX-License-Identifier: GPL-2.0-only
/* Stacks of any content through ORC of any content, up to checked slots. */
#include "fuzz.h"

#include "stack/check.h"

#define ROWS 8
#define SP   0xffffc90000001000ULL

/* A guarded function, so that there are slots to check. */
static const uint8_t code[] = {
	0x48, 0x83, 0xec, 0x18,				      /* sub  $0x18,%rsp */
	0x65, 0x48, 0x8b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00, /* mov  %gs:0x28,%rax */
	0x48, 0x89, 0x44, 0x24, 0x10,			      /* mov  %rax,0x10(%rsp) */
	0xe8, 0x00, 0x00, 0x00, 0x00,			      /* call next */
	0x48, 0x8b, 0x44, 0x24, 0x10,			      /* mov  0x10(%rsp),%rax */
	0x65, 0x48, 0x2b, 0x04, 0x25, 0x28, 0x00, 0x00, 0x00, /* sub  %gs:0x28,%rax */
	0xc3,						      /* ret */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kc_checked_stack checked;
	struct kc_stack stack = { .sp = SP };
	struct kc_plans *plans;
	struct kc_seen seen = {};
	uint64_t words[256], previous = SP;
	struct kc_returns returns = {};
	struct fuzz fuzz;
	size_t count;

	if (size < 1 + ROWS * sizeof(struct kc_orc_raw) + 7 * 8)
		return 0;
	fuzz_begin(&fuzz, sizeof(code));
	fuzz_orc(&fuzz, (const struct kc_orc_raw *)(data + 1), ROWS, 1 + data[0] % 4);
	data += 1 + ROWS * sizeof(struct kc_orc_raw);
	size -= 1 + ROWS * sizeof(struct kc_orc_raw);
	fuzz.windows[0] = (struct window){ TEXT, code, sizeof(code) };
	count = size / 8 < 256 ? size / 8 : 256;
	memcpy(words, data, count * 8);
	/* Small numbers become what makes a stack interesting. */
	for (size_t i = 0; i < count; i++) {
		uint64_t low = words[i] >> 8 & 0xffff;

		if ((words[i] & 0xff) < 0x40)
			words[i] = TEXT + low % (sizeof(code) + 32);
		else if ((words[i] & 0xff) < 0x80)
			words[i] = SP + low % 2200;
	}
	stack.words = words;
	stack.top = SP + count * 8;
	/* What was known of this sleep, true or not. */
	for (size_t i = 0; i < count && returns.count < KC_TASK_SLOTS; i++)
		if (words[i] >= TEXT && words[i] < TEXT + sizeof(code)) {
			returns.high = TEXT >> 32;
			returns.at[returns.count] = count - i;
			returns.was[returns.count++] = words[i] ^ (data[i] & 1);
		}
	if (size % 8)
		stack.returns = &returns;

	require(!kc_plans_new(&fuzz.kernel, &plans));
	kc_check_stack(&fuzz.kernel, plans, &seen, &stack, NULL, &checked);
	require(checked.end < KC_UNWIND_NR_ENDS && checked.count <= KC_MAX_FRAMES);
	for (size_t i = 0; i < checked.nr_bad; i++)
		require(checked.bad[i].frame < checked.count);
	for (size_t i = 0; i < checked.count; i++) {
		const struct kc_checked_frame *frame = &checked.frames[i];

		/* Frames only ever go up, and a judged slot lies in its own frame. */
		require(frame->frame.sp > previous || i == 0);
		previous = frame->frame.sp;
		if (frame->status == KC_CHECK_INTACT || frame->status == KC_CHECK_DAMAGED)
			require(frame->slot >= frame->frame.sp && frame->slot < frame->frame.cfa &&
				frame->slot + 8 <= stack.top);
	}
	kc_seen_free(&seen);
	kc_plans_free(plans);
	fuzz_end(&fuzz);
	return 0;
}
