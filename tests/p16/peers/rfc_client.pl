#!/usr/bin/perl
# rfc_client.pl HOST tcp|udp VERSION OPERATION NUMBER...: a client of the
# calculator from the RFCs alone (1833: rpcbind, 4506: XDR, 5531: the call), with
# no library of RPC. Prints the results, a line each. The operations are those of
# calc.x; batch has the sums of pairs in one call, and echo NUMBER says whether so
# many bytes came back as they were.
use strict;
use warnings;
use IO::Socket::INET;

my ($host, $transport, $version, $operation, @numbers) = @ARGV;
my %procedures = (add => 1, subtract => 2, multiply => 3, divide => 4,
	batch => 5, echo => 7);
my $xid = 0x52464300;

# One fragment for the call; the reply may have several (RFC 5531, 11).
sub over_stream {
	my ($socket, $call, $mark, $reply) = (@_, 0, '');
	syswrite($socket, pack('N/a*', $call) ^ "\x80");
	until ($mark & 0x80000000) {
		read($socket, $mark, 4) or die "the connection ended\n";
		$mark = unpack('N', $mark);
		read($socket, $reply, $mark & 0x7fffffff, length $reply);
	}
	return $reply;
}

sub over_datagrams {
	my ($socket, $call) = @_;
	send($socket, $call, 0);
	recv($socket, my $reply, 65536, 0);
	return $reply;
}

# Returns the results of an accepted and successful call (RFC 5531, 9).
sub call {
	my ($port, $program, $vers, $procedure, $args) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port,
		Proto => $transport) or die "cannot connect: $@\n";
	my $call = pack('N10a*', ++$xid, 0, 2, $program, $vers, $procedure,
		0, 0, 0, 0, $args);
	my ($id, $type, $status, $flavor, $verf, $accepted, $results) =
		unpack('N4N/a*x![N]Na*', $transport eq 'tcp' ?
			over_stream($socket, $call) : over_datagrams($socket, $call));
	die "not the reply to our call\n" if $id != $xid || $type != 1;
	die $status ? "denied\n" : "accept_stat $accepted\n"
		if $status || $accepted;
	return $results;
}

# A union: the number where the status is 0 (RFC 4506, 4.15).
sub take_answer {
	my $status = unpack('N', substr ${$_[0]}, 0, 4, '');
	return "status $status" if $status;
	return unpack('q>', substr ${$_[0]}, 0, 8, '');
}

alarm 30;
my $port = unpack('N', call(111, 100000, 2, 3, pack('N4', 0x31230000, $version,
	$transport eq 'tcp' ? 6 : 17, 0)));
my $args = pack($version == 1 ? 'l>*' : 'q>*', @numbers);
$args = pack('N(Nq>q>)*', @numbers / 2, map { (1, @numbers[2 * $_, 2 * $_ + 1]) }
	0 .. $#numbers / 2) if $operation eq 'batch';
$args = pack('N/a*x![N]', join '', map { chr($_ * 7 & 255) } 1 .. $numbers[0])
	if $operation eq 'echo';
my $results = call($port, 0x31230000, $version, $procedures{$operation}, $args);
if ($version == 1 || $operation eq 'echo') {
	print $version == 1 ? unpack('l>', $results) . "\n"
		: $results eq $args ? "the same\n" : "other bytes\n";
} else {
	my $n = $operation eq 'batch' ? unpack('N', substr $results, 0, 4, '') : 1;
	print take_answer(\$results), "\n" for 1 .. $n;
	die length($results) . " bytes too many\n" if length $results;
}
