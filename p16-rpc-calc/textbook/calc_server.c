/* calc_server: the three functions that rpcgen's server calls (UNP2 16.1). Its
 * main() and dispatch are what rpcgen makes of calc.x, in calc_svc.c.
 *
 *	rpcgen calc.x
 *	gcc -o calc_server calc_server.c calc_svc.c calc_xdr.c \
 *		$(pkg-config --cflags --libs libtirpc) */
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
