# Perl's Cache::Memcached, the first client there was, as an application uses it: perl memcached.pl HOST:PORT|SOCKET. Ends
# with "all done".
use strict;
use warnings;

eval { require Cache::Memcached; 1 } or do { print "cannot load Cache::Memcached: not installed\n"; exit 0; };

sub check {
  my ($name, $ok) = @_;
  return if $ok;
  print "FAIL $name\n";
  exit 1;
}

my $m = Cache::Memcached->new({servers => [$ARGV[0]], connect_timeout => 60, select_timeout => 60});
check('set', $m->set('a', 'text', 100));
check('get', $m->get('a') eq 'text');
check('add there', !$m->add('a', 'x'));
check('add', $m->add('b', 'mid'));
check('replace', $m->replace('b', 'mid2'));
check('append', $m->append('b', '!'));
check('prepend', $m->prepend('b', '?'));
check('get b', $m->get('b') eq '?mid2!');
check('set n', $m->set('n', 10));
check('incr', $m->incr('n', 5) == 15);
check('decr', $m->decr('n', 100) == 0);
check('incr missing', !$m->incr('none', 1));
check('delete', $m->delete('b'));
check('delete missing', !$m->delete('b'));
check('object', $m->set('o', {some => ['object', 1.5]}) && $m->get('o')->{some}[0] eq 'object');

my %many = map { ("multi:$_" => chr($_ % 256) x ($_ % 300)) } 0 .. 2999;
$m->set($_, $many{$_}) for keys %many;    # void context: this client reads the answers all the same
my $found = $m->get_multi(keys %many);
check('get_multi', keys %$found == 3000);
check("get_multi $_", $found->{$_} eq $many{$_}) for keys %many;

for my $size (0, 1, 1023, 65536, 524288, 1024 * 1024 - 512) {
  my $value = substr(join('', map { chr(($_ * 7 + $size) % 256) } 0 .. 255) x (int($size / 256) + 1), 0, $size);
  check("set $size", $m->set('size', $value));
  check("get $size", $m->get('size') eq $value);
}
check('stats', $m->stats('misc')->{hosts}{$ARGV[0]}{misc}{curr_items} >= 3000);
check('flush', $m->flush_all);
check('flushed', !defined $m->get('size'));
print "all done\n";
