/* folder.h - the data folder of a server: whose it is, and who has it now.
 *
 *	identity        whose it is (struct folder_identity)
 *	lock            locked by the server as long as it runs
 *	vote            term and vote (hardstate.h)
 *	wal-NNNNNNNNNN  the log (wal.h)
 *	snapshot-…      what the log once said (snapshot.h)
 *
 * Which cluster. Whoever has voted must not forget it (Raft, section 5.2): a
 * server whose folder was wiped must not come back under its old name, though it
 * is started by the same command. So the cluster's id cannot follow from that
 * command. Each folder gets a random share when it is made; a folder that is new
 * belongs to no cluster, and its server neither votes nor accepts entries.
 * Once it has learned the shares of all the members that it was told of, it knows
 * the cluster's id: all of them, XORed (folder_form()). All come to the same one,
 * whoever asks first; and who has been wiped has another share, comes to another
 * id, and is a stranger to the rest. The price: the first start of a cluster
 * needs all its servers at once; later ones a majority.
 *
 * A server that joins later is not told the members but the cluster, by one of
 * its servers, and the index up to which that one had committed: only a change of
 * members behind that index has added this folder, and not one that had its id
 * before (`since`).
 *
 * Files are 0600, the folder 0700, both of the effective user; a folder or a file
 * that others may write to is refused, as they could take its votes back. */
#ifndef UNIXIPC_P18_RPC_KV_DURABLE_FOLDER_H
#define UNIXIPC_P18_RPC_KV_DURABLE_FOLDER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "p18-rpc-kv/durable/damage.h"

enum {
	FOLDER_CLUSTER_BYTES = 16,
	FOLDER_ADDRESS_MAX = 256, /* with its zero */
	FOLDER_MEMBERS_MAX = 9,
};

struct folder_member {
	uint64_t id;
	char address[FOLDER_ADDRESS_MAX]; /* host:port, as it was given */
};

/* As it was when the folder was made; what members there are now, the log
 * says. */
struct folder_identity {
	uint8_t share[FOLDER_CLUSTER_BYTES];
	uint8_t cluster[FOLDER_CLUSTER_BYTES]; /* zero: of none yet */
	bool is_formed; /* has a cluster, a log and a vote: folder_form() */
	uint64_t server;
	uint64_t since;     /* a server that joins; else 0 */
	uint32_t n_members; /* 0: it joins */
	struct folder_member members[FOLDER_MEMBERS_MAX]; /* by id */
};

struct folder {
	int fd;   /* for the *at() calls of wal.h, hardstate.h, snapshot.h */
	int lock; /* holds the lock; close-on-exec; a forked child shares it */
	bool is_new; /* has no identity yet: folder_claim() */
	struct folder_identity identity;
};

/* Open the folder (a last component that is a symbolic link is refused), make it
 * if it is not there (its parents not), and lock it until folder_close() or the
 * end of the process and of children that have not exec'ed. Does not wait. What
 * names there are in it are durable on return.
 * -EBUSY: another process has it; *holder is the pid that it gave, 0 when it did
 * not (to be shown, never to be signalled). -EPERM: of another user, or others
 * may write to it (to a file of it, which damage names). -EBADMSG: the identity is damaged, or missing while there are
 * other files. -EPROTONOSUPPORT: it was made by another version. */
int folder_open(struct folder *folder, const char *path, pid_t *holder,
		struct damage *damage);
void folder_close(struct folder *folder);

/* Give a new folder its identity: server and members (sorted by id; with this
 * one; addresses differ), or cluster, server and since. share is filled in here.
 * Durable on return. -EEXIST: it has one; -EINVAL: ids or addresses twice, the
 * own id not among them, too many, an id 0. */
int folder_claim(struct folder *folder, const struct folder_identity *identity);

/* All shares are known, that of members[i] is shares[i], the own one as it is in
 * the identity: compute the cluster and make that durable. Before this, wal_create()
 * and hardstate_create(), which may begin anew as often as they like until then;
 * after it, wal_open() and hardstate_open(), which refuse a folder where something
 * is missing. (Who joins calls it with shares NULL: the cluster is known, and
 * this notes that log and vote are there.) -EEXIST: it is formed. */
int folder_form(struct folder *folder,
		const uint8_t (*shares)[FOLDER_CLUSTER_BYTES]);

/* Is that what the folder was made with? A command line that says otherwise is a
 * mistake: the caller refuses it, and says what is stored. The order of members
 * does not matter. */
bool folder_is_of(const struct folder *folder, uint64_t server,
		  const struct folder_member *members, uint32_t n);

#endif
