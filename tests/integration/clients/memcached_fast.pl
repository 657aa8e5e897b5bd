# Perl's Cache::Memcached::Fast as an application uses it: perl memcached_fast.pl HOST:PORT|SOCKET. Ends with "all done".
use strict;
use warnings;

eval { require Cache::Memcached::Fast; 1 } or do { print "cannot load Cache::Memcached::Fast: not installed\n"; exit 0; };

sub check {
  my ($name, $ok) = @_;
  return if $ok;
  print "FAIL $name\n";
  exit 1;
}

sub client {
  return Cache::Memcached::Fast->new({servers => [{address => $ARGV[0]}], io_timeout => 60, connect_timeout => 60,
                                      failure_timeout => 0, max_size => 4 * 1024 * 1024, utf8 => 0});
}

my $m = client();
check('set', $m->set('a', 'text', 100));
check('get', $m->get('a') eq 'text');
check('add there', !$m->add('a', 'x'));
check('add', $m->add('b', 'mid'));
check('replace', $m->replace('b', 'mid2'));
check('append', $m->append('b', '!'));
check('prepend', $m->prepend('b', '?'));
check('get b', $m->get('b') eq '?mid2!');
check('replace missing', !$m->replace('none', 'x'));
check('set n', $m->set('n', 10));
check('incr', $m->incr('n', 5) == 15);
check('decr', $m->decr('n', 100) == 0);
check('incr missing', !$m->incr('none', 1));
check('touch', $m->touch('a', 50));
check('touch missing', !$m->touch('none', 50));
check('delete', $m->delete('b'));
check('delete missing', !$m->delete('b'));
check('object', $m->set('o', {some => ['object', 1.5]}) && $m->get('o')->{some}[0] eq 'object');

my %many = map { ("multi:$_" => chr($_ % 256) x ($_ % 300)) } 0 .. 599;
my $stored = $m->set_multi(map { [$_, $many{$_}] } keys %many);
check('set_multi', (grep { $_ } values %$stored) == 600);
my $found = $m->get_multi(keys %many);
check('get_multi', keys %$found == 600);
check("get_multi $_", $found->{$_} eq $many{$_}) for keys %many;
my $with_cas = $m->gets_multi(keys %many);
check('gets_multi', keys %$with_cas == 600);
my $gone = $m->delete_multi(map { "multi:$_" } 0 .. 299);
check('delete_multi', (grep { $_ } values %$gone) == 300 && keys %{$m->get_multi(keys %many)} == 300);
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

for my $size (0, 1, 1023, 65536, 524288, 1024 * 1024 - 512) {
  my $value = join('', map { chr(($_ * 7 + $size) % 256) } 0 .. 255) x (int($size / 256) + 1);
  $value = substr($value, 0, $size);
  check("set $size", $m->set('size', $value));
  check("get $size", $m->get('size') eq $value);
}
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
