// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/common.h"
#include "cli/output.h"
#include "cli/rights.h"
#include "monitor/record.h"
#include "monitor/sampling.h"
#include "monitor/watch.h"
#include "report/metrics.h"
#include "report/service.h"
#include "respond/holder.h"
#include "source/live.h"
#include "util/log.h"
#include "util/rights.h"

#define MAX_SAMPLE_HZ 49   /* what a CPU may send in a second: BUDGET in bpf/ring.bpf.h */
#define MIN_HOLD_OFF  5	   /* ms: time to look, and to write */
#define MAX_HOLD_OFF  5000 /* the hard lockup detector's time is 10 s */

struct watch_options {
	struct kc_filter filter;
	struct kc_output output;
	unsigned int duration; /* s; 0: until a signal */
	unsigned int period;   /* ms */
	unsigned int max_cpu;  /* percent of one CPU that passes may take */
	unsigned int verbose;
	bool no_probes, dry_run, compare_walks, gate;
	const char *metrics; /* a file, or NULL */
	bool hold_victim;
	unsigned int max_held;	/* threads */
	unsigned int sample_hz; /* on each CPU; 0: no samples */
	struct kc_texts functions;
	const char *preset;
	unsigned int max_probes;
	unsigned int headroom; /* bytes */
	unsigned int hold_off; /* ms; 0: never hold a CPU */
	unsigned int hold_max; /* ms */
	bool kmsg;	       /* a line to /dev/kmsg for each finding */
	const char *record;    /* a file, or NULL */
	unsigned int max_size; /* of it, MiB */
};

/* Of `watch` and of `record`. */
struct watch_command {
	struct watch_options watch;
};

static const struct watch_command defaults = { .watch = {
						       .output = KC_OUTPUT_DEFAULTS,
						       .period = 1000,
						       .max_cpu = 5,
						       .max_probes = 64,
						       .sample_hz = KC_SAMPLE_HZ,
						       .headroom = 2048,
						       .hold_off = 50,
						       .hold_max = 1000,
						       .max_held = 8,
						       .max_size = 256,
					       } };

static int check_hold_off(const struct kc_option *row, const char *arg, void *given,
			  struct kc_failure *ret_failure)
{
	const struct watch_options *options = given;

	(void)arg;
	if (!options->hold_off || options->hold_off >= MIN_HOLD_OFF)
		return 0;
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
		       "%s must be 0, or at least %d: nothing is written sooner", row->arg,
		       MIN_HOLD_OFF);
}

static int check_metrics(const struct kc_option *row, const char *arg, void *given,
			 struct kc_failure *ret_failure)
{
	size_t len = strlen(arg), end = strlen(".prom");

	(void)given;
	if (len > end && !strcmp(arg + len - end, ".prom"))
		return 0;
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
		       "%s must end in .prom, not '%s': node exporter reads no other", row->arg,
		       arg);
}

static const struct kc_option shared_rows[] = {
	{ KC_ROWS(struct watch_options, filter, struct kc_filter, kc_filter_rows) },
	{ "function", 'f', "FUNC|GLOB", KC_TEXTS(struct watch_options, functions),
	  .help = "put live probes on these functions", .none = kc_default_functions,
	  .many = "functions or globs", .group = 2 },
	{ "preset", 0, "NAME", KC_TEXT(struct watch_options, preset),
	  .help = "... on these: futex, sleep, io, net, all-blocking" },
	{ "max-probes", 0, "COUNT", KC_NUMBER(struct watch_options, max_probes, 1, KC_MAX_POINTS),
	  .help = "refuse to place more" },
	{ "dry-run", 0, NULL, KC_FLAG(struct watch_options, dry_run),
	  .help = "only show what would be probed" },
	{ "no-probes", 0, NULL, KC_FLAG(struct watch_options, no_probes),
	  .help = "no live probes, no tripwire: sweep and samples alone" },
	{ "gate", 0, NULL, KC_FLAG(struct watch_options, gate),
	  .help = "verify each task's stack when the kernel switches to it, too" },
	{ "sample", 0, "HZ", KC_NUMBER(struct watch_options, sample_hz, 0, MAX_SAMPLE_HZ),
	  .help = "verify the whole stack of what runs in the kernel, so often on each CPU",
	  .note = "0: never; where that takes more than 1 % of a CPU, or as much more as HZ is "
		  "more than 11, some are left out" },
	{ "headroom", 0, "BYTES", KC_NUMBER(struct watch_options, headroom, 0, 1 << 20),
	  .help = "tell of less stack left at a probed function's entry than this and its frame",
	  .note = "0: never" },
	{ "hold-off", 0, "MS", KC_NUMBER(struct watch_options, hold_off, 0, MAX_HOLD_OFF),
	  .help = "hold a CPU that is about to panic until the finding is written out; or this "
		  "long, if a first record of it is on the disk or nobody has seen it",
	  .note = "0: never", .then = check_hold_off },
	{ "hold-off-max", 0, "MS",
	  KC_NUMBER(struct watch_options, hold_max, MIN_HOLD_OFF, MAX_HOLD_OFF),
	  .help = "... and this long for that first record, once it was seen" },
	{ "hold-victim", 0, NULL, KC_FLAG(struct watch_options, hold_victim),
	  .help = "freeze a sleeping thread in place as soon as a damaged frame of it is proved, "
		  "until 'kcanary release'; experimental, and never on a host that suspends" },
	{ "max-held", 0, "COUNT", KC_NUMBER(struct watch_options, max_held, 1, 64),
	  .help = "threads that may be held at a time, those of earlier watches among them" },
	{ "kmsg", 0, NULL, KC_FLAG(struct watch_options, kmsg),
	  .help = "a line to the kernel's log for findings of live probes" },
	{ "metrics", 0, "FILE", KC_TEXT(struct watch_options, metrics),
	  .help = "counters and findings by class for node exporter's textfile collector, written "
		  "every 10 s and after findings; ends in .prom",
	  .then = check_metrics },
	{ "max-size", 0, "MB", KC_NUMBER(struct watch_options, max_size, 1, 4095),
	  .help = "end a recording, and not the watch, before its file is larger" },
	KC_ROW_DURATION(struct watch_options, 1 << 30, "end after this time"),
	{ "sweep", 's', "MS", KC_NUMBER(struct watch_options, period, 10, 3600 * 1000),
	  .help = "time from one pass to the next" },
	{ "compare-walks", 0, NULL, KC_FLAG(struct watch_options, compare_walks),
	  .help = "copy each stack, and compare what the kernel side makes of it; for tests" },
	{ "max-cpu", 0, "PERCENT", KC_NUMBER(struct watch_options, max_cpu, 1, 100),
	  .help = "of one CPU that passes may take before they are made less often" },
	{ KC_ROWS(struct watch_options, output, struct kc_output, kc_output_rows) },
	KC_ROW_VERBOSE(struct watch_options, "say more on stderr; twice: libbpf's words too"),
	{},
};

static const struct kc_option watch_rows[] = {
	{ "record", 0, "FILE", KC_TEXT(struct watch_command, watch.record),
	  .help = "write down what was seen, for 'kcanary replay FILE'",
	  .then = kc_option_not_empty },
	{ KC_ROWS(struct watch_command, watch, struct watch_options, shared_rows) },
	{},
};

static const struct kc_option record_rows[] = {
	{ .arg = "FILE",
	  KC_TEXT(struct watch_command, watch.record),
	  .required = true,
	  .then = kc_option_not_empty },
	{ KC_ROWS(struct watch_command, watch, struct watch_options, shared_rows) },
	{},
};

/* Options that contradict each other. */
static int check_watch(void *given, struct kc_failure *ret_failure)
{
	struct watch_options *options = &((struct watch_command *)given)->watch;

	kc_filter_settle(&options->filter);
	if (options->no_probes && (options->functions.count || options->preset))
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
			       "--no-probes leaves nothing for -f or --preset to do");
	if (options->no_probes && options->gate)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
			       "--gate needs what --no-probes leaves out: its events come the way "
			       "of the probes'");
	if (options->hold_off > options->hold_max)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
			       "--hold-off-max %u is shorter than --hold-off %u", options->hold_max,
			       options->hold_off);
	if (options->record && options->output.path &&
	    !strcmp(options->record, options->output.path))
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
			       "the recording and the report can't be one file");
	return 0;
}

/* What to probe, and that it is not too much. */
static int choose(const struct watch_options *options, struct kc_session *session,
		  struct kc_failure *ret_failure, struct kc_choices *ret_choices)
{
	const struct kc_wish wish = {
		.globs = options->functions.items,
		.nr_globs = options->functions.count,
		.preset = options->preset,
	};
	int err;

	*ret_choices = (struct kc_choices){};
	if (options->no_probes)
		return 0;
	err = kc_choose(session, &wish, ret_failure, ret_choices);
	if (err || options->dry_run || ret_choices->points <= options->max_probes)
		return err;
	err = kc_fail(ret_failure, KC_EXIT_USAGE, -E2BIG,
		      "%zu functions would take %zu probes, more than --max-probes %u; each costs "
		      "every call, and the kernel some 10 ms to remove",
		      ret_choices->count, ret_choices->points, options->max_probes);
	kc_choices_free(ret_choices);
	return err;
}

static void print_choices(const struct kc_choices *choices)
{
	printf("%-40s %6s %7s  %s\n", "FUNCTION", "CHECKS", "RETURNS", "");
	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_choice *choice = &choices->choices[i];

		printf("%-40s %6zu %7zu  %s%s%s%s%s\n", choice->name, choice->nr_checks,
		       choice->nr_returns,
		       choice->refused	     ? "refused: "
		       : *choice->instead_of ? "guarded in the place of "
		       : !choice->nr_checks  ? "not guarded: return address checked"
					     : "",
		       choice->refused ?: "", choice->refused ? "" : choice->instead_of,
		       *choice->alias ? "; asked for as " : "", choice->alias);
	}
	printf("%zu probes, an entry's for each function among them; and the tripwire on panic\n",
	       choices->points);
}

/* Logs may be rotated while the kernel is being learned, which takes seconds. */
static void block_reopening(const struct watch_options *options)
{
	sigset_t hangup;

	sigemptyset(&hangup);
	sigaddset(&hangup, SIGHUP);
	if (options->output.path)
		sigprocmask(SIG_BLOCK, &hangup, NULL);
}

/*
 * Before there are threads, which inherit it. SIGHUP comes when logs are rotated, or when the
 * terminal that the output goes to is gone, unless somebody (nohup) has had it ignored.
 */
static void block_signals(const struct watch_options *options, sigset_t *ret_end,
			  sigset_t *ret_reopen)
{
	struct sigaction hangup = {};
	sigset_t all;

	sigemptyset(ret_end);
	sigemptyset(ret_reopen);
	sigaddset(ret_end, SIGINT);
	sigaddset(ret_end, SIGTERM);
	sigaction(SIGHUP, NULL, &hangup);
	if (options->output.path)
		sigaddset(ret_reopen, SIGHUP);
	else if (hangup.sa_handler != SIG_IGN)
		sigaddset(ret_end, SIGHUP);
	sigorset(&all, ret_end, ret_reopen);
	sigaddset(&all, SIGCONT); /* see pace.h */
	sigprocmask(SIG_BLOCK, &all, NULL);
}

/* Of a watch: those that end it, and that have outputs opened again. */
struct signals {
	sigset_t end, reopen;
};

static int add_metrics(const char *path, struct kc_sinks *sinks, struct kc_failure *ret_failure)
{
	struct kc_sink *sink;
	int err = kc_metrics_new(path, &sink);

	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot write %s: %s", path,
			       kc_strerror(err));
	kc_sinks_add(sinks, sink);
	return 0;
}

/* Those that are held already are told. */
static int hold_victims(const struct watch_options *options, struct kc_sinks *sinks,
			struct kc_failure *ret_failure)
{
	struct kc_freezer *freezer;
	int err = kc_freezer_open(true, ret_failure, &freezer), held;

	if (err)
		return err;
	held = kc_freezer_held(freezer, NULL, 0);
	if (held > 0)
		kc_info("%d threads are held already: see 'kcanary held'", held);
	kc_sinks_add(sinks, kc_holder_new(freezer, options->max_held, sinks));
	return 0;
}

static int watch(const struct watch_options *options, const struct signals *signals,
		 struct kc_session *session, struct kc_recorder *recorder,
		 const struct kc_choices *choices, struct kc_failure *ret_failure,
		 enum kc_exit *ret_status)
{
	struct kc_source *live kc_auto(kc_cleanup_source) = NULL, *source;
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	int err;

	kc_tell_rights(!options->no_probes);
	err = kc_live_new(
		&(struct kc_live_options){
			.filter = options->filter,
			.walk = options->compare_walks ? KC_WALK_COMPARED : KC_WALK_INSTEAD,
			.mem = session->mem,
			.kernel = session->kernel,
			.modules_hash = session->modules_hash,
		},
		ret_failure, &live);
	if (err)
		return err;
	source = recorder ? kc_recorder_source(recorder, live) : live;
	err = kc_open_sinks(&options->output, options->kmsg, source, ret_failure, &sinks);
	if (err)
		return err;
	if (recorder)
		kc_sinks_add(&sinks, kc_recorder_sink(recorder));
	err = options->metrics ? add_metrics(options->metrics, &sinks, ret_failure) : 0;
	if (err)
		return err;
	kc_sinks_add(&sinks, kc_service_new());
	err = options->hold_victim ? hold_victims(options, &sinks, ret_failure) : 0;
	if (err)
		return err;
	return kc_watch(
		&(struct kc_watch_options){
			.session = session,
			.source = source,
			.sinks = &sinks,
			.filter = &options->filter,
			.choices = options->no_probes ? NULL : choices,
			.gated = options->gate ? kc_live_sweep(live) : NULL,
			.sample_hz = options->sample_hz,
			.headroom = options->headroom,
			.hold_off = options->hold_off,
			.hold_max = options->hold_max,
			.period = options->period,
			.max_cpu = options->max_cpu,
			.duration = options->duration,
			.compare_walks = options->compare_walks,
			.end = &signals->end,
			.reopen = &signals->reopen,
		},
		ret_failure, ret_status);
}

/* Before the first plan is made: what it is made of belongs into the recording. */
static int begin_recording(const struct watch_options *options, struct kc_session *session,
			   struct kc_failure *ret_failure, struct kc_tape **ret_tape,
			   struct kc_recorder **ret_recorder)
{
	int err;

	if (!options->record || options->dry_run)
		return 0;
	err = kc_tape_create(options->record, kc_recorder_layouts(),
			     (uint64_t)options->max_size << 20, ret_tape);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot record to %s: %s",
			       options->record,
			       err == -EEXIST ? "there is something of that name"
					      : kc_strerror(err));
	err = kc_recorder_new(session, *ret_tape, ret_recorder);
	return err ? kc_fail_nomem(ret_failure) : 0;
}

static int run_watch(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct watch_command *command = given;
	const struct watch_options *options = &command->watch;
	struct kc_tape *tape kc_auto(kc_cleanup_tape) = NULL;
	struct kc_recorder *recorder = NULL;
	struct kc_session session = {};
	struct kc_choices choices = {};
	struct signals signals;
	int err;

	kc_set_verbosity(options->verbose);
	kc_keep_memory();
	block_reopening(options);
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error we report */
	signal(SIGXFSZ, SIG_IGN); /* and so is a file that may grow no more */
	kc_log_be_impatient();
	err = kc_session_open(&(struct kc_origin){}, ret_failure, &session);
	if (err)
		return err;
	*ret_status = KC_EXIT_CLEAN;
	/* From here on a signal leaves no stump of a recording. */
	if (!options->dry_run)
		block_signals(options, &signals.end, &signals.reopen);
	err = begin_recording(options, &session, ret_failure, &tape, &recorder);
	if (!err)
		err = choose(options, &session, ret_failure, &choices);
	if (!err && options->dry_run)
		print_choices(&choices);
	else if (!err)
		err = watch(options, &signals, &session, recorder, &choices, ret_failure,
			    ret_status);
	kc_recorder_free(recorder);
	/* Before there was anything to see: not in the way of the next try. */
	if (tape && err && ret_failure->exit != KC_EXIT_FAILED)
		unlink(options->record);
	kc_choices_free(&choices);
	kc_session_close(&session);
	return err;
}

const struct kc_command kc_cmd_watch = {
	.name = "watch",
	.summary = "watch for damaged stack frames: sleeping tasks, hot functions, panic",
	.doc = "Watch for damaged kernel stack frames: of tasks that sleep, in hot functions as they "
	       "run, and at the panic."
	       "\vEvery pass looks at all threads (or those chosen) that are not running, finds the "
	       "canary slot of each guarded frame on their kernel stacks, and compares it with the "
	       "task's canary, in the kernel. A difference becomes a finding only after it was read "
	       "again while the task provably did not run.\n\n"
	       "Live probes look at chosen functions of running tasks: the depth of the stack at "
	       "their entry, slot, canary and guard at each check, and in functions without a canary "
	       "the return address. A tripwire on panic() tells of stack-protector panics, whoever "
	       "found them. Each probe costs every call of its function: see --dry-run. Samples look at "
	       "what else runs in the kernel, a few times a second: the whole stack from the interrupted "
	       "instruction on; two of the same damaged frame make a finding.\n\n"
	       "Findings go to stdout, everything else to stderr. Ctrl-C ends the watch with a "
	       "summary of what was verified, and of what was not: then the status is 4, not 0. A "
	       "thread that ran meanwhile at each of 16 looks in a row, or at all looks of a shorter "
	       "watch, counts as not seen. SIGHUP "
	       "ends it too, but with -o it has the file opened again, for log rotation. A full disk "
	       "does not end it: what could not be written is counted. Passes run at nice -20 from "
	       "the second one on, within --max-cpu; one that comes more than a second too late is "
	       "told and counted.\n\n"
	       "Examples:\n"
	       "  kcanary watch                           all tasks, once a second\n"
	       "  kcanary watch -n App01 --sweep 100      one application, ten times a second\n"
	       "  kcanary watch -c /system.slice/app.service  one systemd unit\n"
	       "  kcanary watch --preset futex --dry-run  only show what would be probed\n"
	       "  kcanary watch -n App01 --hold-victim    keep a damaged sleeper from waking up\n"
	       "  kcanary watch -j -o /var/log/kc.json -d 3600  for an hour, into a file",
	.rows = watch_rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.check = check_watch,
	.run = run_watch,
};

const struct kc_command kc_cmd_record = {
	.name = "record",
	.summary = "watch, and write down what was seen",
	.doc = "As 'kcanary watch', and write to FILE what was seen: for 'kcanary replay FILE', "
	       "anywhere and as any user."
	       "\vFILE must not exist. It holds scrubbed copies of kernel stacks, names of processes, "
	       "and of the kernel what was needed to judge them: no canary, and no address that "
	       "tells where this kernel lies.\n\n"
	       "Examples:\n"
	       "  kcanary record app01.kcr -n App01 -d 60  a minute of one application\n"
	       "  kcanary replay app01.kcr -j              what it told, as JSON",
	.rows = record_rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.check = check_watch,
	.run = run_watch,
};
