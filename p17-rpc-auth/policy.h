/* policy.h - who may call which procedure.
 *
 * A policy is made of lines. Each begins with a procedure's name, or '*', and
 * then says who may call it, by any of these words:
 *
 *	anybody			also who has not said who he is
 *	uid=1000 uid=1000-1999	users
 *	gid=100  gid=100-199	groups, also supplementary ones
 *	host=unix.calc@domain	a netname without a uid (AUTH_DH)
 *	proved			not a word for a caller: the other words of its
 *				line count only for callers who have proved it
 *
 *	# three lines
 *	*         uid=1000-1999 gid=100
 *	multiply  proved uid=1000
 *	null      anybody
 *
 * A procedure that has lines of its own is not in '*'. Whom no line allows is
 * denied. Procedure 0 is allowed to anybody unless there is a line for it. */
#ifndef UNIXIPC_P17_RPC_AUTH_POLICY_H
#define UNIXIPC_P17_RPC_AUTH_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/rpc/rpc_auth.h"
#include "p17-rpc-auth/netname.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { POLICY_RULES = 256, POLICY_FILE_MAX = 64 * 1024 };

enum policy_kind { POLICY_ANYBODY, POLICY_UID, POLICY_GID, POLICY_HOST };

/* A word of a line. */
struct policy_rule {
	int procedure; /* index in procedures, or -1 for '*' */
	enum policy_kind kind;
	bool needs_proof;
	uint32_t low, high;
	char host[NETNAME_MAX + 1];
};

/* Read only once it is made: any thread may ask. */
struct policy {
	const char *const *procedures; /* their names, by number, then NULL */
	size_t n;
	struct policy_rule rules[POLICY_RULES];
};

/* A policy that allows nobody anything. procedures must outlive it. */
void policy_init(struct policy *policy, const char *const *procedures);

/* Add what a line says; remarks and empty lines say nothing. Returns 0, or
 * with nothing added -EINVAL (no such procedure or word) or -ENOSPC. */
int policy_add(struct policy *policy, const char *line);

/* Add all lines of a file. Returns 0, -errno of opening or reading, -EPERM (others
 * may write it: fdio_check_trusted()), -EFBIG, -ENODATA (no line says anything,
 * which is a slip too), or as policy_add(), *line then being the number of the
 * line (0 otherwise). */
int policy_load(struct policy *policy, const char *path, size_t *line);

/* May this caller call the procedure? AUTH_OK; AUTH_TOOWEAK when he might, but
 * has not said or has not proved who he is; AUTH_REJECTEDCRED when he may
 * not. */
enum auth_stat policy_ask(const struct policy *policy, uint32_t procedure,
			  const struct rpc_identity *who);

#ifdef __cplusplus
}
#endif

#endif
