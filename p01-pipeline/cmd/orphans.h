/* orphans.h - processes of the stages that outlive them.
 *
 * sh -c 'make; ls' that is ended by a signal leaves a make behind, which no
 * stage waits for any more. The kernel gives such an orphan to the nearest
 * ancestor that is a child subreaper (prctl(2)): to init, where nobody could
 * find it again, or to us.
 */
#ifndef UNIXIPC_P01_PIPELINE_CMD_ORPHANS_H
#define UNIXIPC_P01_PIPELINE_CMD_ORPHANS_H

#include <stdbool.h>
#include <stdint.h>

#include "p01-pipeline/pipeline.h"

/* Become the subreaper of orphans; called before the stages are started. False
 * when we do not: we have children already, jobs of the shell that has run us
 * in its place, and could not tell those from the pipeline's. The functions
 * below are for a process that has adopted. */
bool orphans_adopt(void);

/* Reap the orphans that have ended, without waiting. */
void orphans_reap(const struct pipeline *p);

/* End the orphans that still run when no stage does: SIGTERM from term_at on,
 * SIGKILL from kill_at on, until none is left. What has a session of its own
 * has left the pipeline for good, and is not touched. SIGCHLD must be blocked.
 * Returns 0, -ETIMEDOUT when one has survived SIGKILL for 10 s, or -errno of
 * reading /proc. */
int orphans_end(int64_t term_at, int64_t kill_at);

#endif
