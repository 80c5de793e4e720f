package bench

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Collection is one line that a Go server prints under GODEBUG=gctrace=1.
type Collection struct {
	Number int
	CPU    time.Duration // all phases: stop-the-world, assists, background and idle marking
	Heap   int64         // bytes marked live, to the MiB the line gives
}

// lastCollection returns the last complete trace line in stderr. ok is false if there is none.
// Source: the runtime package's documentation of gctrace.
func lastCollection(stderr string) (c Collection, ok bool) {
	for line := range strings.Lines(stderr) {
		if parsed, err := parseCollection(line); err == nil {
			c, ok = parsed, true
		}
	}
	return c, ok
}

// parseCollection reads "gc 7 @0.1s 1%: … ms clock, 0.1+0.2/0.3/0.4+0.5 ms cpu, 4->5->2 MB, …".
func parseCollection(line string) (Collection, error) {
	var c Collection
	if _, err := fmt.Sscanf(line, "gc %d @", &c.Number); err != nil {
		return c, err
	}
	cpu, heap := "", ""
	for part := range strings.SplitSeq(line, ", ") {
		if v, ok := strings.CutSuffix(part, " ms cpu"); ok {
			cpu = v
		}
		if v, ok := strings.CutSuffix(part, " MB"); ok && strings.Count(v, "->") == 2 {
			heap = v[strings.LastIndex(v, ">")+1:]
		}
	}
	for phase := range strings.FieldsFuncSeq(cpu, func(r rune) bool { return r == '+' || r == '/' }) {
		ms, err := strconv.ParseFloat(phase, 64)
		if err != nil {
			return c, err
		}
		c.CPU += time.Duration(ms * float64(time.Millisecond))
	}
	mib, err := strconv.Atoi(heap)
	c.Heap = int64(mib) << 20
	return c, err
}
