#!/usr/bin/env bats
# Clients and servers that are not ours: rpcgen's and libtirpc's, built here of
# calc.x, and a client from the RFCs alone.
# sandbox: --rpcbind
# needs: rpcgen rpcinfo cc pkg-config perl

load ../support/common

PATH=$PATH:/usr/sbin:/sbin

setup_file() {
	local flags
	cd "$BATS_FILE_TMPDIR" || return 1
	cp "$BATS_TEST_DIRNAME"/peers/*.c \
		"$BATS_TEST_DIRNAME/../../p16-rpc-calc/calc.x" .
	rpcgen calc.x
	read -ra flags <<<"$(pkg-config --cflags --libs libtirpc)"
	cc -w -o stock_server stock_server.c calc_svc.c calc_xdr.c "${flags[@]}"
	cc -w -o stock_client stock_client.c calc_clnt.c calc_xdr.c "${flags[@]}"
}

setup() {
	setup_chapter p16
	ln -s "$BATS_FILE_TMPDIR"/stock_{server,client} .
	ln -s "$BATS_TEST_DIRNAME/peers/rfc_client.pl" .
}

# The stock server's main() knows no end: its registration stays.
teardown() {
	end_servers
	rpcinfo -d 824377344 1 || true
	rpcinfo -d 824377344 2 || true
}

start_ours() {
	start_server --ready ^Registered ./calc_server
}

# It says nothing, so it is asked.
start_stock() {
	start_server ./stock_server
	wait_until 30 rpcinfo -t localhost 824377344 2
	wait_until 30 rpcinfo -u localhost 824377344 2
}

# What stock_client prints; a request's name is known again by ours alone.
answers() {
	echo "null: there
add: 7000000002
subtract: 6999999998
multiply: 14000000000
divide: 3500000000
accumulate: 5
accumulate: ${1-5}
batch: 3
batch: ${2-status 2}
echo: 8000 bytes, the same"
}

@test "stock client, our server: every procedure over TCP and UDP" {
	start_ours
	run -0 ./stock_client localhost tcp 0
	assert_output "$(answers)
echo: 65536 bytes, the same"
	run -0 ./stock_client localhost udp 0
	assert_output "$(answers)"
}

@test "stock client, stock server: what the one above is compared with" {
	start_stock
	run -0 ./stock_client localhost tcp 0
	assert_output "$(answers 10 1)
echo: 65536 bytes, the same"
}

@test "our client, stock server: every operation over TCP and UDP" {
	start_stock
	for transport in tcp udp; do
		call=(./calc_client "--transport=$transport" localhost)
		run -0 "${call[@]}" add 7000000000 2
		assert_output 'Result: 7000000002'
		run -0 "${call[@]}" subtract -5 3
		assert_output 'Result: -8'
		run -0 "${call[@]}" multiply 3000000000 -3
		assert_output 'Result: -9000000000'
		run -0 "${call[@]}" divide 42 6
		assert_output 'Result: 7'
		run -8 "${call[@]}" divide 42 0
		assert_output --partial 'division by zero'
		seq -f 'add %.0f 1' 250 >lines
		run -0 "${call[@]}" batch <lines
		assert_output "$(seq -f 'Result: %.0f' 2 251)"
	done
	run -0 ./calc_client localhost accumulate 5 6
	assert_output $'Result: 5\nResult: 11'
}

# 65536 bytes are 690 fragments then.
@test "stock client that sends 100 bytes at a time is served like others" {
	start_ours
	run -0 ./stock_client localhost tcp 100
	assert_output "$(answers)
echo: 65536 bytes, the same"
}

@test "client from the RFCs alone: both versions over TCP and UDP" {
	# In sixty lines, without what is said about them.
	(($(grep -cv -e '^#' -e '^$' rfc_client.pl) <= 60))
	start_ours
	for transport in tcp udp; do
		call=(./rfc_client.pl localhost "$transport")
		run -0 "${call[@]}" 1 add 5 3
		assert_output 8
		run -0 "${call[@]}" 1 multiply -7 6
		assert_output -42
		run -0 "${call[@]}" 2 subtract -9000000000 1
		assert_output -9000000001
		run -0 "${call[@]}" 2 divide 1 0
		assert_output 'status 2'
		run -0 "${call[@]}" 2 batch 1 2 3 4 5 6
		assert_output $'3\n7\n11'
		run -0 "${call[@]}" 2 echo 1023
		assert_output 'the same'
	done
	run -0 ./rfc_client.pl localhost tcp 2 echo 65535
	assert_output 'the same'
	# It tells a refusal from a result.
	run ! ./rfc_client.pl localhost tcp 1 add 2147483647 1
	assert_output 'accept_stat 5'
}
