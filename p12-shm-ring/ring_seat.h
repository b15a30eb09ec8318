/* ring_seat.h - who is in a ring: locks that the kernel drops at a death.
 *
 * A seat is one byte of the file, locked through an open file description of
 * the handle's own (F_OFD_SETLK). Nothing that is written into the memory can
 * forge or lose it, no pid is used again, and pid namespaces do not matter. A
 * child that was forked and not exec'ed holds its parent's descriptions, and
 * so its seats.
 */
#ifndef UNIXIPC_P12_SHM_RING_RING_SEAT_H
#define UNIXIPC_P12_SHM_RING_RING_SEAT_H

#include <stdbool.h>
#include <stdint.h>

#include "p12-shm-ring/ring.h"

/* Beside the two sides: held for moments, while the object is made or its name
 * removed. */
enum { RING_SEAT_NAME = RING_RECEIVER + 1, RING_SEATS };

/* Lock without waiting: 0, -EBUSY, or another -errno. */
int ring_seat_take(int fd, int seat);
int ring_seat_leave(int fd, int seat);

/* The same, waiting: -ETIMEDOUT, -EINTR. */
int ring_seat_take_until(int fd, int seat, int64_t deadline);

/* Whether somebody else holds it. In doubt, yes. */
bool ring_seat_is_taken(int fd, int seat);

#endif
