# Perl's Cache::Memcached, the first client there was, as an application uses it: perl memcached.pl HOST:PORT|SOCKET. Ends
# with "all done".
use strict;
use warnings;
use FindBin;
require "$FindBin::Bin/common.pl";

eval { require Cache::Memcached; 1 } or do { print "cannot load Cache::Memcached: not installed\n"; exit 0; };

my $m = Cache::Memcached->new({servers => [$ARGV[0]], connect_timeout => 60, select_timeout => 60});
check_first_commands($m);

my %many = many_values();
$m->set($_, $many{$_}) for keys %many;    # void context: this client reads the answers all the same
my $found = $m->get_multi(keys %many);
check('get_multi', keys %$found == 3000);
check("get_multi $_", $found->{$_} eq $many{$_}) for keys %many;
check('stats', $m->stats('misc')->{hosts}{$ARGV[0]}{misc}{curr_items} >= 3000);
check('flush', $m->flush_all);
check('flushed', !defined $m->get('size'));
print "all done\n";
