/* contend.h - operations a second of a way to synchronise (syncop.h), by one
 * process alone or by two at once.
 *
 * Members start together and go on until they are told to stop. What they do
 * is verified: members that exclude each other add to one plain counter, and
 * members that meet look whether the other has come; what stores do verifies
 * itself. A check that fails gives no figure.
 */
#ifndef UNIXIPC_SUITE_SYNC_CONTEND_H
#define UNIXIPC_SUITE_SYNC_CONTEND_H

#include <stdint.h>

#include "suite/sync/syncop.h"

#define CONTEND_MEMBERS 2

struct contend_options {
	int cpus[CONTEND_MEMBERS]; /* of each member; they may be equal */
	int64_t trial_ns;          /* how long they go on */
	int stop_fd;               /* readable once a stop was asked for
				    * (lib/cmd/stop); 0: none */
};

struct contend_trial {
	double ops_per_s; /* of all members; meetings count once */
	double cpu_ns;    /* per operation, of all members */
	double share; /* of the member that got least: 1 / members is fair */
};

/* Run members (1 or 2) once. Returns 0, -EINTR on a stop, -ETIMEDOUT when one
 * did not end within seconds of being told, -EBADMSG when a check failed, or
 * another -errno of the operation. No process is left in any case. */
int contend_run(const struct syncop *op, int members,
		const struct contend_options *options,
		struct contend_trial *trial);

#endif
