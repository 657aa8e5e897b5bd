<?php
// What the scripts for PHP share: how they say that something is wrong, what both extensions are asked first, and PHP's
// sessions.

function check($name, $got, $expected) {
  if ($got !== $expected) {
    echo "FAIL $name: got ", substr(var_export($got, true), 0, 300), ' expected ', substr(var_export($expected, true), 0, 300), "\n";
    exit(1);
  }
}

function check_first_commands($m) {
  check('set', $m->set('a', 'text'), true);
  check('get', $m->get('a'), 'text');
  check('add there', $m->add('a', 'x'), false);
  check('add', $m->add('b', 'mid'), true);
  check('replace', $m->replace('b', 'mid2'), true);
  check('replace nothing', $m->replace('none', 'x'), false);
  check('append', $m->append('b', '!'), true);
  check('prepend', $m->prepend('b', '?'), true);
  check('get b', $m->get('b'), '?mid2!');
  check('set object', $m->set('o', ['some' => ['object', 1.5]]), true);
  check('get object', $m->get('o'), ['some' => ['object', 1.5]]);
  check('set n', $m->set('n', '10'), true);
  check('incr', $m->increment('n', 5), 15);
  check('decr', $m->decrement('n', 100), 0);
  check('incr missing', $m->increment('none'), false);
  check('delete', $m->delete('b'), true);
  check('delete again', $m->delete('b'), false);
  check('deleted', $m->get('b'), false);
  foreach ([0, 1, 1023, 65536, 524288, 1024 * 1024 - 512] as $size) {
    $value = $size ? random_bytes($size) : '';
    check("set $size", $m->set('size', $value), true);
    check("get $size", $m->get('size') === $value, true);
  }
  $ugly = "\0\r\nEND\r\n\xff VALUE a 0 1\r\n";
  check('ugly', $m->set('ugly', $ugly), true);
  check('ugly get', $m->get('ugly'), $ugly);
}

function many_values() {
  $many = [];
  for ($i = 0; $i < 3000; $i++) $many["multi:$i"] = str_repeat(chr($i % 256), $i % 300);
  return $many;
}

/// A session is locked, read, written, unlocked and destroyed.
function check_sessions($handler, $path) {
  ini_set('session.save_handler', $handler);
  ini_set('session.save_path', $path);
  ini_set('session.use_cookies', '0');
  ini_set('session.cache_limiter', '');
  check('session', session_start(), true);
  $id = session_id();
  $_SESSION['cart'] = ['milk', 2];
  session_write_close();
  $_SESSION = [];
  session_id($id);
  check('session again', session_start(), true);
  check('what is in it', $_SESSION['cart'], ['milk', 2]);
  check('session ends', session_destroy(), true);
}
