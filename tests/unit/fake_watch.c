// SPDX-License-Identifier: GPL-2.0-only
#include "fake_watch.h"

#include "unit.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "monitor/lookers.h"
#include "source/live.h"

extern const char simple_call[], simple_check[], interrupt_call[];

struct seen seen;
struct changing changing;
struct kc_session session;
struct kc_source *source;
struct kc_sinks sinks;
struct kc_desk *desk;
struct kc_passes *passes;
struct fake_thread threads[3];
struct kc_kernel *(*fake_watch_kernel)(void) = fake_kernel;

struct kc_filter fake_filter;

void nap(void)
{
	poll(NULL, 0, 1);
}

static unsigned int misread_looks;

static void misread(uint64_t addr, uint8_t *bytes, size_t len)
{
	/* mov %rax, 0x10(%rsp), and mov 0x10(%rsp), %rdx. */
	const uint64_t displacements[] = { (uint64_t)simple_call - 3, (uint64_t)simple_check + 4 };

	for (size_t i = 0; i < 2; i++)
		if (displacements[i] - addr < len)
			bytes[displacements[i] - addr] = 0x08;
}

static void look(void)
{
	if (misread_looks && !--misread_looks)
		fake_on_read = NULL;
}

void misread_slot(unsigned int looks)
{
	misread_looks = looks;
	fake_on_read = misread;
	fake_on_look = look;
}

static int see(struct kc_sink *sink, const struct kc_kernel *kernel,
	       const struct kc_finding *finding)
{
	const struct kc_sym *sym = finding->checked->frames[finding->frame].sym;

	(void)sink;
	seen.seqs[seen.findings++] = finding->seq;
	seen.last = finding->anomaly;
	seen.intact = finding->seen_intact;
	seen.pointed = finding->pointed ? *finding->pointed : (struct kc_pointed_words){};
	seen.class = finding->verdict.class;
	seen.boot_ns = finding->boot_ns;
	seen.intact_ns = finding->intact_ns;
	seen.was = finding->bad_return ? finding->bad_return->was : 0;
	snprintf(seen.place, sizeof(seen.place), "%s", sym ? kc_sym_name(kernel->ksyms, sym) : "");
	seen.unwritten += seen.full;
	if (seen.on_finding)
		seen.on_finding();
	while (seen.stop) {
		seen.stopped = true;
		nap();
	}
	return seen.err;
}

static bool of_gate[KC_WRITERS]; /* its evidence is */

static void word_evidence(struct kc_sink *sink, const struct kc_kernel *kernel,
			  const struct kc_evidence *evidence)
{
	(void)sink;
	(void)kernel;
	of_gate[evidence->writer] = evidence->event->kind == KC_EVENT_GATE;
	seen.numbered[evidence->first.number] = true;
}

static int write_evidence(struct kc_sink *sink, unsigned int writer)
{
	(void)sink;
	while (seen.gate_waits && of_gate[writer]) {
		seen.gate_waited = true;
		nap();
	}
	seen.evidence++;
	return 0;
}

static int see_notice(struct kc_sink *sink, const struct kc_when *when, const char *text)
{
	(void)sink;
	(void)when;
	seen.notices++;
	snprintf(seen.notice, sizeof(seen.notice), "%s", text);
	return seen.notice_err;
}

static int see_stats(struct kc_sink *sink, const struct kc_when *when,
		     const struct kc_coverage *coverage)
{
	(void)sink;
	(void)when;
	(void)coverage;
	seen.stats++;
	return seen.stats_err;
}

static int see_start(struct kc_sink *sink, const struct kc_when *when, const struct kc_start *start)
{
	(void)sink;
	(void)when;
	(void)start;
	seen.starts++;
	return 0;
}

static int see_stop(struct kc_sink *sink, const struct kc_when *when,
		    const struct kc_coverage *coverage, const struct kc_depths *depths,
		    const char *why)
{
	(void)sink;
	(void)when;
	(void)depths;
	seen.stops++;
	seen.end = *coverage;
	snprintf(seen.why, sizeof(seen.why), "%s", why);
	return seen.stop_err;
}

static bool see_wants_again(struct kc_sink *sink, const struct kc_record *task)
{
	(void)sink;
	(void)task;
	return seen.wants_again;
}

static int see_again(struct kc_sink *sink, const struct kc_kernel *kernel,
		     const struct kc_finding *finding)
{
	(void)sink;
	(void)kernel;
	assert_false(finding->running);
	seen.again++;
	seen.again_seq = finding->seq;
	return 0;
}

static int see_sync(struct kc_sink *sink)
{
	(void)sink;
	seen.syncs++;
	return 0;
}

static int see_reopened(struct kc_sink *sink, const struct kc_when *when,
			const struct kc_start *start)
{
	(void)sink;
	(void)when;
	assert_non_null(start);
	seen.reopened++;
	if (seen.unopened && seen.unopened--)
		return -EAGAIN;
	if (seen.next_fd) {
		close(seen.fd);
		seen.fd = seen.next_fd;
	}
	return 0;
}

static void count_wait(struct kc_sink *sink, struct kc_unwritten *unwritten, double *waited)
{
	(void)sink;
	unwritten->lines += seen.unwritten;
	unwritten->findings += seen.unwritten;
	*waited += seen.waited;
}

static int see_fd(struct kc_sink *sink)
{
	(void)sink;
	return seen.fd;
}

static void forget(struct kc_sink *sink)
{
	(void)sink;
}

static const struct kc_sink_ops sink_ops = {
	.start = see_start,
	.stop = see_stop,
	.finding = see,
	.wants_again = see_wants_again,
	.again = see_again,
	.word_evidence = word_evidence,
	.write_evidence = write_evidence,
	.notice = see_notice,
	.stats = see_stats,
	.sync = see_sync,
	.reopen = see_reopened,
	.count = count_wait,
	.fd = see_fd,
	.free = forget,
};

static int changing_pass(struct kc_source *it, uint32_t only_tid, kc_record_fn fn, void *arg,
			 struct kc_pass *ret_pass)
{
	(void)it;
	return kc_source_pass(changing.live, only_tid, fn, arg, ret_pass);
}

static int changing_cache(struct kc_source *it, const struct kc_record *record,
			  const struct kc_sleep_facts *facts)
{
	(void)it;
	return kc_source_cache(changing.live, record, facts);
}

static void changing_follow(struct kc_source *it, uint32_t tid)
{
	(void)it;
	kc_source_follow(changing.live, tid);
}

static int changing_learn(struct kc_source *it, uint64_t key, const struct kc_rule *rule)
{
	(void)it;
	return kc_source_learn(changing.live, key, rule);
}

static void changing_uncache(struct kc_source *it, uint32_t tid)
{
	(void)it;
	kc_source_uncache(changing.live, tid);
}

static void changing_flush(struct kc_source *it)
{
	(void)it;
	changing.flushes++;
	kc_source_flush(changing.live);
}

static void changing_trim(struct kc_source *it)
{
	(void)it;
	kc_source_trim(changing.live);
}

static void changing_losses(struct kc_source *it, uint64_t ret_losses[static KC_LOSS_NR])
{
	(void)it;
	kc_source_losses(changing.live, ret_losses);
}

static bool changing_is_stale(struct kc_source *it, uint64_t at_ns)
{
	(void)it;
	if (at_ns && at_ns < changing.learned_ns)
		return true;
	if (changing.stale_at > 0) {
		changing.stale_at--;
		return false;
	}
	return changing.stale_at == 0;
}

static int changing_reload(struct kc_source *it, struct kc_kernel **ret_kernel)
{
	(void)it;
	if (changing.reload_err)
		return changing.reload_err;
	*ret_kernel = fake_watch_kernel();
	changing.reloads++;
	return 0;
}

static void changing_adopted(struct kc_source *it)
{
	(void)it;
	changing.stale_at = -1;
}

static uint64_t changing_number(struct kc_source *it, uint64_t next)
{
	(void)it;
	return kc_source_number(changing.live, next);
}

static bool changing_again(struct kc_source *it, bool wanted)
{
	(void)it;
	return kc_source_again(changing.live, wanted);
}

static void changing_event(struct kc_source *it, const struct kc_event *event,
			   const struct kc_first *first)
{
	(void)it;
	kc_source_event(changing.live, event, first);
}

static void changing_process(struct kc_source *it, const struct kc_whose *whose,
			     struct kc_process *ret_process)
{
	(void)it;
	kc_source_process(changing.live, whose, ret_process);
}

static void changing_words(struct kc_source *it, const struct kc_kernel *kernel,
			   const struct kc_words_at *at, const uint64_t *copied,
			   struct kc_pointed_words *ret_words)
{
	(void)it;
	kc_source_words(changing.live, kernel, at, copied, ret_words);
}

static void changing_host(struct kc_source *it, struct kc_host *ret_host)
{
	(void)it;
	kc_source_host(changing.live, ret_host);
	if (changing.host)
		*ret_host = *changing.host;
}

static void changing_now(struct kc_source *it, struct timespec *ret_time)
{
	(void)it;
	kc_source_now(changing.live, ret_time);
}

static void changing_free(struct kc_source *it)
{
	(void)it;
	kc_source_free(changing.live);
}

static const struct kc_source_ops changing_ops = {
	.pass = changing_pass,
	.cache = changing_cache,
	.uncache = changing_uncache,
	.follow = changing_follow,
	.learn = changing_learn,
	.flush = changing_flush,
	.trim = changing_trim,
	.losses = changing_losses,
	.is_stale = changing_is_stale,
	.reload = changing_reload,
	.adopted = changing_adopted,
	.event = changing_event,
	.process = changing_process,
	.words = changing_words,
	.host = changing_host,
	.now = changing_now,
	.number = changing_number,
	.again = changing_again,
	.free = changing_free,
};

void put_to_sleep(struct fake_thread *thread, uint32_t tid)
{
	size_t at = 5;

	*thread = (struct fake_thread){
		.record = { .pid = 7, .tid = tid, .start_ns = tid, .sp = SP, .top = TOP },
	};
	thread->words[at++] = 0;			 /* bp */
	thread->words[at++] = (uint64_t)simple_call + 5; /* after the call in simple() */
	at += 2;
	assert_int_equal(at, SLOT);
	thread->words[at++] = KC_CANARY_MARK;
	thread->words[at++] = (uint64_t)interrupt_call + 5;
	thread->words[at + session.kernel->pt_regs.mode / 8] = 0x33; /* user mode */
	at += session.kernel->pt_regs.size / 8;
	assert_int_equal(at, FAKE_WORDS);
}

static void start_engine(struct kc_source *from)
{
	assert_int_equal(kc_desk_new(&fake_filter, from, &sinks, &desk), 0);
	assert_int_equal(
		kc_passes_new(&(struct kc_engine){ &session, from, desk, &sinks }, &passes), 0);
}

void fake_watch_through(struct kc_source *other)
{
	kc_passes_free(passes);
	kc_desk_free(desk);
	start_engine(other);
}

static void open_session(void)
{
	struct kc_failure failure;

	session = (struct kc_session){ .kernel = fake_watch_kernel() };
	session.lent = session.kernel;
	assert_int_equal(kc_plans_new(session.kernel, &session.plans), 0);
	changing = (struct changing){ .source.ops = &changing_ops, .stale_at = -1 };
	assert_int_equal(kc_live_new(&(struct kc_live_options){ .kernel = session.kernel },
				     &failure, &changing.live),
			 0);
	source = &changing.source;
}

int fake_watch_setup(void **state)
{
	(void)state;
	memset(&seen, 0, sizeof(seen));
	seen.sink.ops = &sink_ops;
	seen.fd = -1;
	fake_filter = (struct kc_filter){};
	fake_probing = (struct fake_probing){};
	fake_on_pass = NULL;
	fake_on_read = NULL;
	fake_on_look = NULL;
	open_session();
	sinks = (struct kc_sinks){};
	kc_sinks_add(&sinks, &seen.sink);
	start_engine(source);
	for (size_t i = 0; i < 3; i++)
		put_to_sleep(&threads[i], 100 + i);
	fake_threads(threads, 3);
	return 0;
}

int fake_watch_teardown(void **state)
{
	(void)state;
	kc_passes_free(passes);
	kc_desk_free(desk);
	kc_sinks_free(&sinks);
	kc_source_free(source);
	kc_session_close(&session);
	return 0;
}

struct kc_coverage covered(void)
{
	struct kc_coverage coverage = {};

	kc_passes_coverage(passes, &coverage);
	return coverage;
}

struct kc_event *new_event(uint32_t tid, uint64_t id)
{
	static struct {
		struct kc_event event;
		uint64_t words[8];
	} sent;

	memset(&sent, 0, sizeof(sent));
	sent.event.kind = KC_EVENT_CHECK;
	sent.event.id = id;
	sent.event.flags = KC_EVENT_HELD;
	sent.event.site = (uint64_t)simple_check;
	sent.event.syscall = -1;
	sent.event.task.tid = tid;
	sent.event.task.start_ns = tid;
	sent.event.task.sp = SP;
	sent.event.task.top = SP + sizeof(sent.words);
	sent.event.task.count = 8;
	sent.event.task.size = sizeof(sent);
	sent.event.damage.slot = SP + 16;
	sent.event.damage.changed_bytes = 0xff;
	sent.words[3] = 0x1234;
	return &sent.event;
}

struct kc_event *new_gate_event(const struct fake_thread *thread, uint64_t id)
{
	static struct {
		struct kc_event event;
		uint64_t words[FAKE_WORDS];
	} sent;

	memset(&sent, 0, sizeof(sent));
	sent.event.kind = KC_EVENT_GATE;
	sent.event.id = id;
	sent.event.site = (uint64_t)simple_call + 5;
	sent.event.caller = 5ULL << 32 | 6;
	sent.event.syscall = -1;
	sent.event.task = thread->record;
	sent.event.task.count = FAKE_WORDS;
	sent.event.task.size = sizeof(sent);
	sent.event.damage.slot = SP + 8 * SLOT;
	sent.event.damage.changed_bytes = 0xff;
	memcpy(sent.words, thread->words, sizeof(sent.words));
	return &sent.event;
}

struct kc_events *start_events(void)
{
	return start_patient_events(5);
}

struct kc_events *start_patient_events(unsigned int hold_off)
{
	struct kc_events *events;

	assert_int_equal(kc_events_start(
				 &(struct kc_events_options){
					 .engine = { &session, source, desk, &sinks },
					 .probes = fake_probes(),
					 .hold_off = hold_off,
				 },
				 &events),
			 0);
	return events;
}

struct kc_probe_counts counts_of(const struct kc_events *events)
{
	struct kc_probe_counts counts = {};

	kc_events_counts(events, &counts);
	return counts;
}
