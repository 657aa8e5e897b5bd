# Perl's Cache::Memcached::Fast as an application uses it: perl memcached_fast.pl HOST:PORT|SOCKET. Ends with "all done".
use strict;
use warnings;
use FindBin;
require "$FindBin::Bin/common.pl";

eval { require Cache::Memcached::Fast; 1 } or do { print "cannot load Cache::Memcached::Fast: not installed\n"; exit 0; };

sub client {
  return Cache::Memcached::Fast->new({servers => [{address => $ARGV[0]}], io_timeout => 60, connect_timeout => 60,
                                      failure_timeout => 0, max_size => 4 * 1024 * 1024, utf8 => 0});
}

my $m = client();
check_first_commands($m);
check('touch', $m->touch('a', 50));
check('touch missing', !$m->touch('none', 50));

my %many = many_values();
my $stored = $m->set_multi(map { [$_, $many{$_}] } keys %many);
check('set_multi', (grep { $_ } values %$stored) == 3000);
my $found = $m->get_multi(keys %many);
check('get_multi', keys %$found == 3000);
check("get_multi $_", $found->{$_} eq $many{$_}) for keys %many;
my $with_cas = $m->gets_multi(keys %many);
check('gets_multi', keys %$with_cas == 3000);
my $gone = $m->delete_multi(map { "multi:$_" } 0 .. 299);
check('delete_multi', (grep { $_ } values %$gone) == 300 && keys %{$m->get_multi(keys %many)} == 2700);
if ($m->can('gat_multi')) {
  check('gat_multi', keys %{$m->gat_multi(100, map { "multi:$_" } 300 .. 399)} == 100);
}

my $other = client();
$m->set('counter', 0);
for my $i (0 .. 49) {
  my $got = $m->gets('counter');
  if ($i % 2) {
    $other->incr('counter', 1000);
    check('cas too late', !$m->cas('counter', $got->[0], $got->[1] + 1));
    $got = $m->gets('counter');
  }
  check('cas', $m->cas('counter', $got->[0], $got->[1] + 1));
}
check('cas result', $m->get('counter') == 50 + 25 * 1000);

check('too large', !$m->set('size', 'x' x (1024 * 1024 + 1)));
check('old value gone', !defined $m->get('size'));
check('small again', $m->set('size', 'x') && $m->get('size') eq 'x');
my $ugly = "\0\r\nEND\r\n\xff VALUE a 0 1\r\n";
check('ugly', $m->set('ugly', $ugly) && $m->get('ugly') eq $ugly);

$m->set("quiet:$_", "v$_") for 0 .. 299;    # void context: this client sends noreply
$m->nowait_push;
check('noreply', $m->get('quiet:299') eq 'v299');
my $versions = $m->server_versions;
check('version', (values %$versions)[0] =~ /^[1-9]\d*\.\d+\.\d+$/);
$m->flush_all;
check('flushed', !defined $m->get('ugly'));
print "all done\n";
