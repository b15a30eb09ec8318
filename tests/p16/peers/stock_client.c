/* stock_client HOST tcp|udp SEND-BYTES: each procedure of version 2, called by
 * rpcgen's own stubs and libtirpc. The send buffer is also the largest fragment
 * of a record; libtirpc takes 100 bytes at least. 0: its own choice. */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "calc.h"

static struct timeval retry = {1, 0}, whole = {30, 0};

static CLIENT *create(const char *host, const char *transport, u_int bytes)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct hostent *found = gethostbyname(host);
	int fd = RPC_ANYSOCK;

	memcpy(&at.sin_addr, found->h_addr_list[0], sizeof(at.sin_addr));
	return strcmp(transport, "tcp") == 0
		       ? clnttcp_create(&at, CALC_PROG, CALC_VERS_2, &fd, bytes,
					bytes)
		       : clntudp_create(&at, CALC_PROG, CALC_VERS_2, retry,
					&fd);
}

static void print_answer(const char *name, const calc_answer *answer)
{
	if (!answer)
		printf("%s: no reply\n", name);
	else if (answer->status == CALC_DONE)
		printf("%s: %ld\n", name, (long)answer->calc_answer_u.value);
	else
		printf("%s: status %d\n", name, (int)answer->status);
}

static void call_batch(CLIENT *client)
{
	calc_expression e[2] = {{CALC_ADD, {1, 2}}, {CALC_DIVIDE, {1, 0}}};
	calc_batch batch = {2, e};
	calc_answers *answers = batch_2(&batch, client);

	for (u_int i = 0; answers && i < answers->calc_answers_len; i++)
		print_answer("batch", &answers->calc_answers_val[i]);
}

static void call_echo(CLIENT *client, u_int n)
{
	calc_bytes bytes = {n, malloc(n)}, *back;

	for (u_int i = 0; i < n; i++)
		bytes.calc_bytes_val[i] = (char)(i * 7);
	back = calc_echo_2(&bytes, client);
	if (!back)
		clnt_perror(client, "echo");
	else
		printf("echo: %u bytes, %s\n", back->calc_bytes_len,
		       back->calc_bytes_len == n &&
				       memcmp(back->calc_bytes_val,
					      bytes.calc_bytes_val, n) == 0
			       ? "the same"
			       : "other ones");
}

int main(int argc, char **argv)
{
	calc_operands o = {7000000000, 2};
	calc_accumulation a = {{4711, 1}, 5};
	CLIENT *client;

	if (argc != 4)
		return 2;
	client = create(argv[1], argv[2], (u_int)atoi(argv[3]));
	if (!client) {
		clnt_pcreateerror(argv[0]);
		return 1;
	}
	clnt_control(client, CLSET_TIMEOUT, (char *)&whole);
	printf("null: %s\n", calc_null_2(NULL, client) ? "there" : "no reply");
	print_answer("add", add_2(&o, client));
	print_answer("subtract", subtract_2(&o, client));
	print_answer("multiply", multiply_2(&o, client));
	print_answer("divide", divide_2(&o, client));
	print_answer("accumulate", accumulate_2(&a, client));
	print_answer("accumulate", accumulate_2(&a, client));
	call_batch(client);
	call_echo(client, 8000);
	if (strcmp(argv[2], "tcp") == 0)
		call_echo(client, CALC_ECHO_MAX);
	return 0;
}
