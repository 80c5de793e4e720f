package testkit

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"deepstream-fast/protocol"
)

// Command is one command of a scenario file. Its accessors fail the test, naming file and line, when
// an argument is missing or malformed.
type Command struct {
	*datadriven.TestData
	t testing.TB
}

// RunScenarios runs every testdata/*.txt of the calling package as a subtest. start builds the
// machine under test and returns the function that carries out one command and returns its effect.
func RunScenarios(t *testing.T, start func(t *testing.T) func(c *Command) string) {
	t.Helper()
	files := Must(filepath.Glob(filepath.Join("testdata", "*.txt")))
	if len(files) == 0 {
		t.Fatal("no scenario files in testdata")
	}
	for _, path := range files {
		name := strings.TrimSuffix(filepath.Base(path), ".txt")
		t.Run(name, func(t *testing.T) {
			run := start(t)
			datadriven.RunTest(t, path, func(t *testing.T, td *datadriven.TestData) string {
				return run(&Command{TestData: td, t: t})
			})
		})
	}
}

// Bytes returns the argument key, or nil if it is absent. A value in double quotes is unquoted as a
// Go string, so that a scenario can hold any byte; one with spaces is also put in parentheses.
// "key=" is present and empty.
func (c *Command) Bytes(key string) []byte {
	c.t.Helper()
	arg, ok := c.Arg(key)
	if !ok {
		return nil
	}
	return c.unquote(arg.SingleVal(c.t))
}

// List returns the values of the argument key=(a, b, c), or nil if it is absent or empty. Single
// values may be quoted as for Bytes.
func (c *Command) List(key string) [][]byte {
	c.t.Helper()
	arg, ok := c.Arg(key)
	if !ok || len(arg.Vals) == 1 && arg.Vals[0] == "" {
		return nil
	}
	list := make([][]byte, len(arg.Vals))
	for i, v := range arg.Vals {
		list[i] = c.unquote(v)
	}
	return list
}

// Int returns the argument key, which must be there, as an integer.
func (c *Command) Int(key string) int {
	c.t.Helper()
	var n int
	c.ScanArgs(c.t, key, &n)
	return n
}

// Conn returns the connection with the number in the argument key.
func (c *Command) Conn(key string) protocol.ConnID {
	c.t.Helper()
	return Conn(c.Int(key))
}

// Unknown fails the test: the machine has no such command. It returns "" for use in a return.
func (c *Command) Unknown() string {
	c.t.Helper()
	c.Fatalf(c.t, "unknown command %q", c.Cmd)
	return ""
}

func (c *Command) unquote(v string) []byte {
	c.t.Helper()
	if !strings.HasPrefix(v, `"`) {
		return []byte(v)
	}
	s, err := strconv.Unquote(v)
	if err != nil {
		c.Fatalf(c.t, "argument %s: %v", v, err)
	}
	return []byte(s)
}

// Conn returns the id that scenarios write as the number n, 1 or more.
func Conn(n int) protocol.ConnID { return protocol.MakeConnID(0, uint32(n), 1) }
