<?php
// php-memcache, the older of PHP's two extensions, as an application uses it: php memcache.php HOST PORT text|binary, or
// unix:///SOCKET 0 text|binary. Ends with "all done".
if (!class_exists('Memcache')) {
  echo "cannot load php-memcache: not installed\n";
  exit(0);
}
require __DIR__ . '/common.php';
error_reporting(E_ALL & ~E_NOTICE & ~E_DEPRECATED);  // it says "Not found" as a notice, too
ini_set('memcache.protocol', $argv[3] == 'binary' ? 'binary' : 'ascii');

function client($argv) {
  $m = new Memcache();
  $m->addServer($argv[1], (int)$argv[2], false, 1, 60, 0);  // 0: over binary it gives a server up that says "Not found"
  $m->setCompressThreshold(100 * 1024 * 1024);
  return $m;
}

$m = client($argv);
check_first_commands($m);
check('set for a while', $m->set('a', 'text', 0, 100), true);

$many = many_values();
check('set of many', $m->set($many), true);
$found = $m->get(array_keys($many));
ksort($found);
ksort($many);
check('get of many', $found === $many, true);

$other = client($argv);
check('set counter', $m->set('counter', '0'), true);
for ($i = 0; $i < 50; $i++) {
  $value = $m->get('counter', $flags, $cas);
  if ($i % 2) {
    $other->increment('counter', 1000);
    check('cas too late', $m->cas('counter', 'x', 0, 0, $cas), false);
    $value = $m->get('counter', $flags, $cas);
  }
  check('cas', $m->cas('counter', (string)((int)$value + 1), 0, 0, $cas), true);
}
check('cas result', (int)$m->get('counter'), 50 + 25 * 1000);

if ($argv[3] != 'binary') check_sessions('memcache', $argv[2] == '0' ? $argv[1] : "tcp://$argv[1]:$argv[2]");
check('version', preg_match('/^[1-9]\d*\.\d+\.\d+$/', $m->getVersion()), 1);
if ($argv[3] != 'binary') check('stats', $m->getStats()['curr_items'] >= 3000, true);
check('flush', $m->flush(), true);
check('flushed', $m->get('ugly'), false);
echo "all done\n";
