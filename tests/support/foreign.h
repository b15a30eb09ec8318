/* foreign.h - objects of others, one of every kind, that nobody may touch.
 *
 * They stand beside what is tested, as another program of the same user would
 * have made them, and each has something in it that tells whether it was used.
 * They are called "/foreign.PID.N" and so on, or as foreign_name_as() says: also
 * by names and ids that ours had. */
#ifndef UNIXIPC_TESTS_SUPPORT_FOREIGN_H
#define UNIXIPC_TESTS_SUPPORT_FOREIGN_H

#include <stdbool.h>

#include "lib/identity.h"
#include "lib/objname.h"

enum { FOREIGN_MAX = 24 };

struct foreign_object {
	enum objname_kind kind;
	char name[OBJNAME_MAX]; /* name or path, empty of System V */
	int id;                 /* of System V */
	int listener;           /* of a socket, else -1 */
	struct identity_object identity;
};

struct foreign {
	unsigned int n;
	struct foreign_object object[FOREIGN_MAX];
};

/* Make n more, of all kinds in turn; the paths are in that directory. A kind
 * that cannot be made fails the case. */
void foreign_make(struct foreign *foreign, const char *dir, unsigned int n);

/* Make one more under this name or path, which nobody has; or, of System V, with
 * this key. */
void foreign_make_as(struct foreign *foreign, enum objname_kind kind,
		     const char *name);
void foreign_make_key(struct foreign *foreign, enum objname_kind kind, int key);

/* Make one more with this id, which nobody has any more. False when the kernel
 * does not let us choose (kernel.msg_next_id and its like, sysctl(8)). */
bool foreign_make_id(struct foreign *foreign, enum objname_kind kind, int id);

/* Which of them is not what it was, or was used: its name, or NULL. */
const char *foreign_find_harmed(const struct foreign *foreign);

/* Fails the case, and says which. */
void foreign_assert_unharmed(const struct foreign *foreign);

/* Remove all, and begin anew. */
void foreign_remove(struct foreign *foreign);

#endif
