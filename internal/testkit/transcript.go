package testkit

import (
	"fmt"
	"strings"

	"deepstream-fast/protocol"
)

// Transcript collects the effects of one command, a line each, in the order they happened. The zero
// value is empty and ready.
type Transcript struct {
	lines []string
}

// Addf appends one formatted line.
func (tr *Transcript) Addf(format string, args ...any) {
	tr.lines = append(tr.lines, fmt.Sprintf(format, args...))
}

// Send appends the line of a message to a connection that Conn named:
//
//	2 <- RPC REQUEST name="add" correlationId="c1" data="1"
func (tr *Transcript) Send(to protocol.ConnID, m *protocol.Message) {
	tr.Addf("%d <- %s", to.Slot(), m)
}

// Take returns the lines so far and forgets them; without any it returns "ok".
func (tr *Transcript) Take() string {
	if len(tr.lines) == 0 {
		return "ok"
	}
	s := strings.Join(tr.lines, "\n")
	tr.lines = tr.lines[:0]
	return s
}
