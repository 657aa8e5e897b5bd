# What the scripts for Perl share: how they say that something is wrong, and what both clients are asked first.
use strict;
use warnings;

sub check {
  my ($name, $ok) = @_;
  return if $ok;
  print "FAIL $name\n";
  exit 1;
}

sub check_first_commands {
  my ($m) = @_;
  check('set', $m->set('a', 'text', 100));
  check('get', $m->get('a') eq 'text');
  check('add there', !$m->add('a', 'x'));
  check('add', $m->add('b', 'mid'));
  check('replace', $m->replace('b', 'mid2'));
  check('replace missing', !$m->replace('none', 'x'));
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
  for my $size (0, 1, 1023, 65536, 524288, 1024 * 1024 - 512) {
    my $value = substr(join('', map { chr(($_ * 7 + $size) % 256) } 0 .. 255) x (int($size / 256) + 1), 0, $size);
    check("set $size", $m->set('size', $value));
    check("get $size", $m->get('size') eq $value);
  }
}

sub many_values { return map { ("multi:$_" => chr($_ % 256) x ($_ % 300)) } 0 .. 2999; }

1;
