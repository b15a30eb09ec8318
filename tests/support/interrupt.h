/* interrupt.h - a signal every other millisecond, to a handler that does
 * nothing: whatever waits meanwhile sees EINTR sooner or later. The handler
 * stays, for a last signal may come after the timer has been stopped (under
 * valgrind it does). */
#ifndef UNIXIPC_TESTS_SUPPORT_INTERRUPT_H
#define UNIXIPC_TESTS_SUPPORT_INTERRUPT_H

void interrupt_start(void);
void interrupt_stop(void);

#endif
