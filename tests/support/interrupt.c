#include "tests/support/interrupt.h"

#include <signal.h>
#include <sys/time.h>

#include "tests/support/support.h"

static void on_alarm(int number)
{
	(void)number;
}

void interrupt_start(void)
{
	const struct sigaction action = {.sa_handler = on_alarm};
	const struct itimerval often = {.it_interval.tv_usec = 2000,
					.it_value.tv_usec = 2000};

	assert_int_equal(sigaction(SIGALRM, &action, NULL), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
}

void interrupt_stop(void)
{
	const struct itimerval off = {0};

	assert_int_equal(setitimer(ITIMER_REAL, &off, NULL), 0);
}
