/* A server as one gets it from `rpcgen calc.x` alone: main() and dispatch are
 * what rpcgen makes (calc_svc.c). Built by tests/p16/compat.bats only. */
#include "calc.h"

int *add_1_svc(operands *o, struct svc_req *request)
{
	static int result;

	(void)request;
	result = o->a + o->b;
	return &result;
}

int *subtract_1_svc(operands *o, struct svc_req *request)
{
	static int result;

	(void)request;
	result = o->a - o->b;
	return &result;
}

int *multiply_1_svc(operands *o, struct svc_req *request)
{
	static int result;

	(void)request;
	result = o->a * o->b;
	return &result;
}
