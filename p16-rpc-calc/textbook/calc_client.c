/* A client as one gets it from `rpcgen calc.x` alone: old_client HOST
 * TRANSPORT add|subtract|multiply A B. Built by tests/p16/compat.bats only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calc.h"

int main(int argc, char **argv)
{
	operands o;
	int *result;
	CLIENT *client;

	if (argc != 6)
		return 2;
	client = clnt_create(argv[1], CALC_PROG, CALC_VERS, argv[2]);
	if (!client) {
		clnt_pcreateerror(argv[0]);
		return 1;
	}
	o.a = (int)strtol(argv[4], NULL, 10);
	o.b = (int)strtol(argv[5], NULL, 10);
	if (strcmp(argv[3], "add") == 0)
		result = add_1(&o, client);
	else if (strcmp(argv[3], "subtract") == 0)
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
