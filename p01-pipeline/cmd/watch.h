/* watch.h - mypipe while its stages run: signals, and stages that end. */
#ifndef UNIXIPC_P01_PIPELINE_CMD_WATCH_H
#define UNIXIPC_P01_PIPELINE_CMD_WATCH_H

#include <signal.h>
#include <stdbool.h>

#include "p01-pipeline/pipeline.h"

/* Hold back SIGCHLD and what asks us to stop, until we wait for it, and adopt
 * orphans. Called before the stages are started. What was ignored from the
 * start stays so (nohup, a background job of a script). */
void watch_begin(sigset_t *set);

/* Whether a signal that asks us to stop has come: for pipeline_start(). */
int watch_is_stopped(void);

/* Wait for all stages. A signal that a process has sent to us is passed on to
 * them, and a hangup always; a stage that has not ended after five seconds is
 * killed.
 * When a signal has ended the pipeline, be it this one or the terminal's, all
 * that the stages had started ends too. Returns the signal that was passed on,
 * or 0. No descriptor is open meanwhile but 0, 1, 2 and what we inherited. */
int watch_stages(struct pipeline *p, const sigset_t *set);

/* Whether the signal has come, from whomever, and ended a stage. */
bool watch_has_ended(const struct pipeline *p, int number);

/* After a start that failed halfway: end what the stages have left. Returns the
 * signal that asked us to stop, or 0. */
int watch_give_up(const sigset_t *set);

#endif
