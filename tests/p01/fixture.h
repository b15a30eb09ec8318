/* fixture.h - a pipeline of shell commands for each case alone. */
#ifndef UNIXIPC_TESTS_P01_FIXTURE_H
#define UNIXIPC_TESTS_P01_FIXTURE_H

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/tick.h"
#include "p01-pipeline/pipeline.h"
#include "tests/support/support.h"

enum { MAX_STAGES = 1000, LIMIT_S = 60 };

static inline int64_t limit(void)
{
	return tick_after(LIMIT_S * TICK_S);
}

struct fixture {
	struct pipeline p;
	struct pipeline_stage stages[MAX_STAGES];
	char *argvs[MAX_STAGES][4];
	int fds_before;
};

static inline int set_up(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	fixture.p.stages = fixture.stages;
	fixture.fds_before = support_count_fds();
	*state = &fixture;
	return 0;
}

/* Whatever a case did, no child and no descriptor is left. */
static inline int tear_down(void **state)
{
	struct fixture *f = *state;

	if (f->p.running)
		pipeline_end(&f->p, TICK_S);
	if (support_count_fds() != f->fds_before)
		fail_msg("%d descriptors, before: %d", support_count_fds(),
			 f->fds_before);
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
		fail_msg("a child is left");
	return 0;
}

static inline void add_argv(struct fixture *f, const char *a, const char *b,
			    const char *c)
{
	char **argv = f->argvs[f->p.n];

	argv[0] = (char *)a;
	argv[1] = (char *)b;
	argv[2] = (char *)c;
	f->stages[f->p.n++].argv = argv;
}

static inline void add_shell(struct fixture *f, const char *script)
{
	add_argv(f, "sh", "-c", script);
}

static inline void start(struct fixture *f)
{
	assert_int_equal(pipeline_start(&f->p), 0);
}

static inline void run(struct fixture *f)
{
	start(f);
	assert_int_equal(pipeline_wait(&f->p, limit()), 0);
	assert_int_equal(f->p.running, 0);
}

static inline int code_of(const struct fixture *f, size_t i)
{
	return pipeline_stage_exit_code(&f->stages[i]);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif
