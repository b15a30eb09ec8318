/* internal.h - what the sources of the queue share; nobody else includes it,
 * but for tests that start the indices near their end. */
#ifndef UNIXIPC_P15_SPSC_INTERNAL_H
#define UNIXIPC_P15_SPSC_INTERNAL_H

#include <stdbool.h>

#include "lib/identity.h"
#include "p15-spsc/spsc.h"

#define SPSC_MAGIC UINT32_C(0x43535053)  /* "SPSC" */
#define SPSC_MAKING UINT32_C(0x4d535053) /* "SPSM": half-made, of a name */

/* ---- spsc.c ---- */

/* spsc_init() with both indices at first. */
int spsc_init_at(void *memory, size_t bytes, uint64_t item_bytes,
		 uint64_t capacity, uint64_t first);

/* All of a header but the magic. */
void spsc_fill(struct spsc *shared, uint64_t item_bytes, uint64_t capacity,
	       enum spsc_roles roles, uint64_t first);

/* 0 when it is a queue that fits, whose roles are held so; or as attaching. */
int spsc_validate(const struct spsc *shared, size_t bytes, uint64_t item_bytes,
		  enum spsc_roles roles, uint64_t *capacity);

/* The handle of who has the role: 0, -EBADMSG. */
int spsc_produce(struct spsc_producer *producer, struct spsc *shared,
		 uint64_t item_bytes, uint64_t capacity);
int spsc_consume(struct spsc_consumer *consumer, struct spsc *shared,
		 uint64_t item_bytes, uint64_t capacity);

/* ---- spsc_wait.c ---- */

/* The role begins, its owner being set; returns is_fenced of the handle. */
int spsc_join(struct spsc *shared, enum spsc_role role);

/* The role ends: flag and wake. */
void spsc_leave(struct spsc *shared, enum spsc_role role);

/* ---- spsc_role.c: who has a role ---- */

/* Behind the bytes of the roles, that of who makes the object or removes its
 * name, for moments; all far beyond the slots. */
#define SPSC_BYTE (INT64_C(1) << 60)
enum { SPSC_BYTE_NAME = SPSC_CONSUMER + 1 };

struct spsc_seat {
	struct identity_role role;
	size_t bytes;   /* mapped */
	uint64_t first; /* the other side's index when we came */
	bool has_met;
	char name[256];
};

void spsc_role_note_place(struct spsc *shared);

/* By word: 0 and *owner, -EBUSY, -EXDEV, -ENOSYS. */
int spsc_role_claim(struct spsc *shared, enum spsc_role role, uint64_t *owner);
int spsc_role_adopt(struct spsc *shared, enum spsc_role role, uint64_t *owner);

/* By word, or by lock if there is a seat. */
void spsc_role_give_up(struct spsc *shared, enum spsc_role role, uint64_t owner,
		       struct spsc_seat *seat);

/* Unmap and free, where there is a seat. */
void spsc_role_forget(struct spsc *shared, struct spsc_seat *seat);

/* Whether the other side lives, whose index was seen last; peer is the handle's.
 * 0 (it does, or has not come yet), -EOWNERDEAD, -EIDRM, -EBADF, -ESTALE. */
int spsc_role_look(struct spsc *shared, enum spsc_role other, uint64_t seen,
		   struct spsc_seat *seat, uint64_t *peer);

#endif
