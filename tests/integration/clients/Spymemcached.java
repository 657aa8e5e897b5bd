// spymemcached as an application uses it: java -cp ... Spymemcached HOST PORT text|binary [USER PASSWORD]. Ends with "all done".

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import net.spy.memcached.CASResponse;
import net.spy.memcached.CASValue;
import net.spy.memcached.ConnectionFactoryBuilder;
import net.spy.memcached.MemcachedClient;
import net.spy.memcached.auth.AuthDescriptor;
import net.spy.memcached.auth.PlainCallbackHandler;
import net.spy.memcached.transcoders.SerializingTranscoder;

public class Spymemcached {
  static void check(String name, Object got, Object expected) {
    if (!(got == null ? expected == null : got.equals(expected))) {
      System.out.println("FAIL " + name + ": got " + got + " expected " + expected);
      System.exit(1);
    }
  }

  static boolean wait(Future<Boolean> future) throws Exception {
    return future.get(60, TimeUnit.SECONDS);
  }

  static MemcachedClient client(String[] argv) throws Exception {
    SerializingTranscoder asItIs = new SerializingTranscoder();
    asItIs.setCompressionThreshold(Integer.MAX_VALUE);
    ConnectionFactoryBuilder builder = new ConnectionFactoryBuilder()
        .setProtocol(argv[2].equals("binary") ? ConnectionFactoryBuilder.Protocol.BINARY : ConnectionFactoryBuilder.Protocol.TEXT)
        .setOpTimeout(60000).setTranscoder(asItIs).setDaemon(true);
    if (argv.length > 4) {
      builder.setAuthDescriptor(new AuthDescriptor(new String[] {"PLAIN"}, new PlainCallbackHandler(argv[3], argv[4])));
    }
    return new MemcachedClient(builder.build(), List.of(new InetSocketAddress(argv[0], Integer.parseInt(argv[1]))));
  }

  public static void main(String[] argv) throws Exception {
    System.setProperty("net.spy.log.LoggerImpl", "net.spy.memcached.compat.log.SunLogger");
    java.util.logging.LogManager.getLogManager().reset();
    MemcachedClient c = client(argv);
    check("set", wait(c.set("a", 100, "text")), true);
    check("get", c.get("a"), "text");
    check("get nothing", c.get("none"), null);
    check("add there", wait(c.add("a", 0, "x")), false);
    check("add", wait(c.add("b", 0, "mid")), true);
    check("replace", wait(c.replace("b", 0, "mid2")), true);
    check("replace nothing", wait(c.replace("none", 0, "x")), false);
    check("append", wait(c.append("b", "!")), true);
    check("prepend", wait(c.prepend("b", "?")), true);
    check("get b", c.get("b"), "?mid2!");
    check("incr missing", c.incr("none", 1), -1L);
    check("incr makes one", c.incr("n", 5, 10), 10L);
    check("incr", c.incr("n", 5), 15L);
    check("decr", c.decr("n", 100), 0L);
    check("touch", wait(c.touch("a", 100)), true);
    check("touch nothing", wait(c.touch("none", 100)), false);
    if (argv[2].equals("binary")) {
      check("get and touch", c.getAndTouch("a", 100).getValue(), "text");
    }
    check("delete", wait(c.delete("a")), true);
    check("delete again", wait(c.delete("a")), false);
    check("deleted", c.get("a"), null);

    Map<String, Object> many = new HashMap<>();
    List<Future<Boolean>> stores = new ArrayList<>();
    for (int i = 0; i < 5000; ++i) {
      many.put("multi:" + i, "x".repeat(i % 300));
      stores.add(c.set("multi:" + i, 0, many.get("multi:" + i)));
    }
    for (Future<Boolean> store : stores) {
      check("set of many", wait(store), true);
    }
    check("getBulk", c.getBulk(many.keySet()), many);
    // Single gets that wait together are sent as one by this client.
    List<Future<Object>> reads = new ArrayList<>();
    for (int i = 0; i < 2000; ++i) {
      reads.add(c.asyncGet("multi:" + i % 700));
    }
    for (int i = 0; i < 2000; ++i) {
      check("asyncGet " + i, reads.get(i).get(60, TimeUnit.SECONDS), many.get("multi:" + i % 700));
    }

    MemcachedClient other = client(argv);
    check("set counter", wait(c.set("counter", 0, "0")), true);
    for (int i = 0; i < 50; ++i) {
      CASValue<Object> got = c.gets("counter");
      if (i % 2 == 1) {
        other.incr("counter", 1000);
        check("cas too late", c.cas("counter", got.getCas(), "x"), CASResponse.EXISTS);
        got = c.gets("counter");
      }
      String next = Long.toString(Long.parseLong(got.getValue().toString().trim()) + 1);
      check("cas", c.cas("counter", got.getCas(), next), CASResponse.OK);
    }
    check("cas result", c.get("counter"), Integer.toString(50 + 25 * 1000));
    check("cas nothing", c.cas("none", 5, "x"), CASResponse.NOT_FOUND);

    for (int size : new int[] {0, 1, 1023, 65536, 524288, 1024 * 1024 - 512}) {
      byte[] value = new byte[size];
      new Random(size).nextBytes(value);
      check("set of " + size, wait(c.set("size", 0, value)), true);
      check("get of " + size, Arrays.equals((byte[]) c.get("size"), value), true);
    }
    check("version", c.getVersions().values().iterator().next().matches("[1-9]\\d*\\.\\d+\\.\\d+"), true);
    check("stats", Integer.parseInt(c.getStats().values().iterator().next().get("curr_items")) >= 5000, true);
    check("settings", c.getStats("settings").values().iterator().next().containsKey("maxbytes"), true);
    if (argv.length > 4) {
      check("mechanisms", c.listSaslMechanisms().contains("PLAIN"), true);
    }
    check("flush", wait(c.flush()), true);
    check("flushed", c.get("size"), null);
    other.shutdown();
    c.shutdown();
    System.out.println("all done");
    System.exit(0);
  }
}
