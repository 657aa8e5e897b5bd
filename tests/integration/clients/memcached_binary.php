<?php
// php-memcached over the binary protocol, and PHP's sessions in it, as an application uses them:
// php memcached_binary.php HOST|SOCKET PORT [USER PASSWORD]. Ends with "all done".
if (!class_exists('Memcached')) {
  echo "cannot load php-memcached: not installed\n";
  exit(0);
}
require __DIR__ . '/common.php';

function client($argv) {
  $m = new Memcached();
  $m->setOption(Memcached::OPT_BINARY_PROTOCOL, true);
  $m->setOption(Memcached::OPT_TCP_NODELAY, true);
  $m->setOption(Memcached::OPT_COMPRESSION, false);
  $m->setOption(Memcached::OPT_SEND_TIMEOUT, 60000000);
  $m->setOption(Memcached::OPT_RECV_TIMEOUT, 60000000);
  $m->setOption(Memcached::OPT_POLL_TIMEOUT, 60000);
  if (count($argv) > 4) $m->setSaslAuthData($argv[3], $argv[4]);
  $m->addServer($argv[1], (int)$argv[2]);
  return $m;
}

$m = client($argv);
check_first_commands($m);
check('set for a while', $m->set('a', 'text', 100), true);
check('add there', $m->add('a', 'x'), false);
check('add code', in_array($m->getResultCode(), [Memcached::RES_NOTSTORED, Memcached::RES_DATA_EXISTS]), true);
check('incr makes one', $m->increment('made', 5, 10), 10);
check('incr', $m->increment('made', 5, 10), 15);
check('touch', $m->touch('a', 50), true);
check('touch missing', $m->touch('none', 50), false);
$many = many_values();
check('setMulti', $m->setMulti($many), true);
check('getMulti', $m->getMulti(array_keys($many), Memcached::GET_PRESERVE_ORDER), $many);

$other = client($argv);
check('set counter', $m->set('counter', 0), true);
for ($i = 0; $i < 50; $i++) {
  $got = $m->get('counter', null, Memcached::GET_EXTENDED);
  if ($i % 2) {
    $other->increment('counter', 1000);
    check('cas too late', $m->cas($got['cas'], 'counter', 1), false);
    $got = $m->get('counter', null, Memcached::GET_EXTENDED);
  }
  check('cas', $m->cas($got['cas'], 'counter', (int)$got['value'] + 1), true);
}
check('cas result', (int)$m->get('counter'), 50 + 25 * 1000);

$quiet = client($argv);
$quiet->setOption(Memcached::OPT_NOREPLY, true);
for ($i = 0; $i < 300; $i++) $quiet->set("quiet:$i", "v$i");
check('noreply', $quiet->get('quiet:299'), 'v299');
check('version', preg_match('/^\d+\.\d+\.\d+$/', array_values($m->getVersion())[0]), 1);
check('stats', array_values($m->getStats())[0]['curr_items'] > 3000, true);
if ($argc <= 4) {
  check('binary sessions are the default', (bool)ini_get('memcached.sess_binary_protocol'), true);
  check_sessions('memcached', $argv[1] . ':' . $argv[2]);
}
check('flush', $m->flush(), true);
check('flushed', $m->get('size'), false);
echo "all done\n";
