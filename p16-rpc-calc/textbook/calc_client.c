/* calc_client HOST add|subtract|multiply A B [tcp|udp]: what rpcgen alone makes
 * of calc.x, called (UNP2 16.1). Version 1 of the calculator, as its clients are.
 *
 *	rpcgen calc.x
 *	gcc -o calc_client calc_client.c calc_clnt.c calc_xdr.c \
 *		$(pkg-config --cflags --libs libtirpc) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calc.h"

int main(int argc, char **argv)
{
	operands o;
	int *result;
	CLIENT *client;

	if (argc < 5)
		return 2;
	client = clnt_create(argv[1], CALC_PROG, CALC_VERS,
			     argc > 5 ? argv[5] : "tcp");
	if (!client) {
		clnt_pcreateerror(argv[0]);
		return 1;
	}
	o.a = (int)strtol(argv[3], NULL, 10);
	o.b = (int)strtol(argv[4], NULL, 10);
	if (strcmp(argv[2], "add") == 0)
		result = add_1(&o, client);
	else if (strcmp(argv[2], "subtract") == 0)
		result = subtract_1(&o, client);
	else
		result = multiply_1(&o, client);
	if (!result)
		clnt_perror(client, argv[0]);
	else
		printf("Result: %d\n", *result);
	clnt_destroy(client);
	return result ? 0 : 1;
}
