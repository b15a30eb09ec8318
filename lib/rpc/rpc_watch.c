/* rpc_watch.c - system calls are made only when something has changed; and the
 * timer may fire too early, as it is set again only then, or for an earlier
 * moment. */
#include "lib/rpc/rpc_watch.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

void rpc_watch_init(struct rpc_watch *watch)
{
	*watch = (struct rpc_watch){
		.fd = -1,
		.timer_fd = -1,
		.socket_fd = -1,
		.armed_at = TICK_NEVER,
	};
}

void rpc_watch_fini(struct rpc_watch *watch)
{
	fdio_close(&watch->fd);
	fdio_close(&watch->timer_fd);
}

int rpc_watch_open(struct rpc_watch *watch)
{
	struct epoll_event event = {.events = EPOLLIN};
	int rc = 0;

	if (watch->fd >= 0)
		return watch->fd;
	watch->fd = epoll_create1(EPOLL_CLOEXEC);
	watch->fd = watch->fd < 0 ? -errno : fdio_above_std(watch->fd);
	if (watch->fd < 0)
		return watch->fd;
	watch->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	watch->timer_fd =
		watch->timer_fd < 0 ? -errno : fdio_above_std(watch->timer_fd);
	if (watch->timer_fd < 0)
		rc = watch->timer_fd;
	else if (epoll_ctl(watch->fd, EPOLL_CTL_ADD, watch->timer_fd, &event))
		rc = -errno;
	if (!rc)
		return watch->fd;
	rpc_watch_fini(watch);
	return rc;
}

static void set_socket(struct rpc_watch *watch, int socket_fd,
		       unsigned int generation, bool wants_output)
{
	struct epoll_event event = {.events = EPOLLIN |
					      (wants_output ? EPOLLOUT : 0u)};
	bool is_new = socket_fd != watch->socket_fd ||
		      generation != watch->generation;

	/* One that was closed has left it by itself. */
	if (socket_fd >= 0 && (is_new || wants_output != watch->wants_output))
		epoll_ctl(watch->fd, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
			  socket_fd, &event);
	watch->socket_fd = socket_fd;
	watch->generation = generation;
	watch->wants_output = wants_output;
}

static void set_timer(struct rpc_watch *watch, int64_t moment)
{
	struct itimerspec at = {0}; /* never */

	if (moment >= watch->armed_at && !tick_is_over(watch->armed_at))
		return;
	if (moment != TICK_NEVER)
		at.it_value = tick_to_timespec(moment);
	timerfd_settime(watch->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
	watch->armed_at = moment;
}

void rpc_watch_set(struct rpc_watch *watch, int socket_fd,
		   unsigned int generation, bool wants_output, int64_t moment)
{
	if (watch->fd < 0)
		return;
	set_socket(watch, socket_fd, generation, wants_output);
	set_timer(watch, moment);
}
