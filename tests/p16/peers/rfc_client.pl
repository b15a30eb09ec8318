#!/usr/bin/perl
# rfc_client.pl HOST tcp|udp VERSION OPERATION NUMBER...: a client of the
# calculator from the RFCs alone (1833: rpcbind, 4506: XDR, 5531: the call), with
# no library of RPC. Prints the results, a line each.
#
#   1 add|subtract|multiply A B     2 add|subtract|multiply|divide A B
#   2 batch A B ...                 the sums of pairs in one call
#   2 echo N                        whether N bytes came back as they were
use strict;
use warnings;
use IO::Socket::INET;

my ($host, $transport, $version, $operation, @numbers) = @ARGV;
my %procedures = (add => 1, subtract => 2, multiply => 3, divide => 4,
	batch => 5, echo => 7);
my $xid = 0x52464300;

sub receive {
	my ($socket, $n) = @_;
	my $bytes = '';
	while (length $bytes < $n) {
		sysread($socket, $bytes, $n - length $bytes, length $bytes)
			or die "the connection ended\n";
	}
	return $bytes;
}

# One fragment for the call; the reply may have several (RFC 5531, 11).
sub over_stream {
	my ($socket, $call) = @_;
	my ($mark, $reply) = (0, '');
	syswrite($socket, pack('N', 0x80000000 | length $call) . $call);
	until ($mark & 0x80000000) {
		$mark = unpack('N', receive($socket, 4));
		$reply .= receive($socket, $mark & 0x7fffffff);
	}
	return $reply;
}

# Returns the results of an accepted and successful call (RFC 5531, 9).
sub call {
	my ($port, $program, $vers, $procedure, $args) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port,
		Proto => $transport) or die "cannot connect: $@\n";
	my $call = pack('N10', ++$xid, 0, 2, $program, $vers, $procedure,
		0, 0, 0, 0) . $args;
	my $reply;
	if ($transport eq 'tcp') {
		$reply = over_stream($socket, $call);
	} else {
		send($socket, $call, 0);
		recv($socket, $reply, 65536, 0);
	}
	my ($id, $type, $status, $flavor, $n, $rest) = unpack('N5a*', $reply);
	die "not the reply to our call\n" if $id != $xid || $type != 1;
	die "denied\n" if $status;
	my ($accepted, $results) = unpack("x" . ($n + 3 & ~3) . 'Na*', $rest);
	die "accept_stat $accepted\n" if $accepted;
	return $results;
}

# A union: the number where the status is 0 (RFC 4506, 4.15).
sub take_answer {
	my ($bytes) = @_;
	my ($status, $rest) = unpack('Na*', $$bytes);
	$$bytes = $rest;
	return "status $status" if $status;
	(my $value, $$bytes) = unpack('q>a*', $rest);
	return $value;
}

alarm 30;
my $port = unpack('N', call(111, 100000, 2, 3, pack('N4', 0x31230000, $version,
	$transport eq 'tcp' ? 6 : 17, 0)));
my $args = pack($version == 1 ? 'l>*' : 'q>*', @numbers);
if ($operation eq 'batch') {
	$args = pack('N', @numbers / 2) . pack('(Nq>q>)*',
		map { (1, @numbers[2 * $_, 2 * $_ + 1]) } 0 .. $#numbers / 2);
} elsif ($operation eq 'echo') {
	my $bytes = join '', map { chr($_ * 7 & 255) } 1 .. $numbers[0];
	$args = pack('N/a*x![N]', $bytes);
}
my $results = call($port, 0x31230000, $version, $procedures{$operation}, $args);
if ($version == 1) {
	print unpack('l>', $results), "\n";
} elsif ($operation eq 'echo') {
	print $results eq $args ? "the same\n" : "other bytes\n";
} else {
	my $n = $operation eq 'batch' ? unpack('N', substr $results, 0, 4, '') : 1;
	print take_answer(\$results), "\n" for 1 .. $n;
	die length($results) . " bytes too many\n" if length $results;
}
