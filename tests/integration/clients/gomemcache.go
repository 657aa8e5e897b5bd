// Go's gomemcache, as an application uses it: gomemcache HOST:PORT|SOCKET. Ends with "all done".
package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

func check(name string, ok bool) {
	if !ok {
		fmt.Println("FAIL " + name)
		os.Exit(1)
	}
}

func client() *memcache.Client {
	c := memcache.New(os.Args[1])
	c.Timeout = time.Minute
	return c
}

func checkFirstCommands(c *memcache.Client) {
	value := func(key string) string {
		item, err := c.Get(key)
		check("get "+key, err == nil)
		return string(item.Value)
	}
	check("set", c.Set(&memcache.Item{Key: "a", Value: []byte("text"), Flags: 7, Expiration: 100}) == nil)
	item, err := c.Get("a")
	check("get", err == nil && string(item.Value) == "text" && item.Flags == 7)
	_, err = c.Get("none")
	check("get nothing", err == memcache.ErrCacheMiss)
	check("add there", c.Add(&memcache.Item{Key: "a", Value: []byte("x")}) == memcache.ErrNotStored)
	check("add", c.Add(&memcache.Item{Key: "n", Value: []byte("10")}) == nil)
	number, err := c.Increment("n", 5)
	check("incr", err == nil && number == 15)
	number, err = c.Decrement("n", 100)
	check("decr", err == nil && number == 0)
	_, err = c.Increment("none", 1)
	check("incr missing", err == memcache.ErrCacheMiss)
	check("replace", c.Replace(&memcache.Item{Key: "n", Value: []byte("new")}) == nil && value("n") == "new")
	check("replace missing", c.Replace(&memcache.Item{Key: "none", Value: []byte("x")}) == memcache.ErrNotStored)
	check("touch", c.Touch("a", 50) == nil)
	check("touch missing", c.Touch("none", 50) == memcache.ErrCacheMiss)
	check("delete", c.Delete("a") == nil)
	check("delete again", c.Delete("a") == memcache.ErrCacheMiss)
	for _, size := range []int{0, 1, 1023, 65536, 524288, 1024*1024 - 512} {
		data := make([]byte, size)
		rand.Read(data)
		check("set of "+strconv.Itoa(size), c.Set(&memcache.Item{Key: "size", Value: data}) == nil)
		item, err := c.Get("size")
		check("get of "+strconv.Itoa(size), err == nil && bytes.Equal(item.Value, data))
	}
}

// GetMulti makes one line of them all.
func checkThousandsAtOnce(c *memcache.Client) {
	var keys []string
	for i := 0; i < 3000; i++ {
		key := "multi:" + strconv.Itoa(i)
		keys = append(keys, key)
		check("set "+key, c.Set(&memcache.Item{Key: key, Value: []byte(strings.Repeat("x", i%300))}) == nil)
	}
	found, err := c.GetMulti(append(keys, "none"))
	check("GetMulti", err == nil && len(found) == len(keys))
	for i, key := range keys {
		check("GetMulti "+key, string(found[key].Value) == strings.Repeat("x", i%300))
	}
}

// Goroutines that count together, each over a connection of its own.
func checkCasLoop(c *memcache.Client) {
	check("set counter", c.Set(&memcache.Item{Key: "counter", Value: []byte("0")}) == nil)
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for done := 0; done < 50; {
				item, err := c.Get("counter")
				check("get counter", err == nil)
				number, err := strconv.Atoi(string(item.Value))
				check("counter", err == nil)
				item.Value = []byte(strconv.Itoa(number + 1))
				switch c.CompareAndSwap(item) {
				case nil:
					done++
				case memcache.ErrCASConflict:
				default:
					check("cas", false)
				}
			}
		}()
	}
	all.Wait()
	item, err := c.Get("counter")
	check("cas result", err == nil && string(item.Value) == "200")
}

func main() {
	c := client()
	checkFirstCommands(c)
	checkThousandsAtOnce(c)
	checkCasLoop(c)
	check("flush", c.FlushAll() == nil)
	_, err := c.Get("size")
	check("flushed", err == memcache.ErrCacheMiss)
	fmt.Println("all done")
}
