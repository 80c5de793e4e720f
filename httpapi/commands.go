package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"deepstream-fast/permission"
	"deepstream-fast/protocol"
	"deepstream-fast/session"
)

// commandCost is what a command costs beside its text, until it is answered: its message, its answer, the
// connection it is carried out on.
const commandCost = 1 << 10

// commands answers a POST of commands. Source: spec/http-api.md §4.
func (s *Server) commands(x *exchange, body []byte) {
	credentials, list, problem := s.envelope(body)
	if problem != "" {
		x.refuse(RefusedMessage, http.StatusBadRequest, problem)
		return
	}
	if s.stats.running.Add(1) > int64(s.opts.RequestsMax) {
		s.stats.running.Add(-1)
		x.busy(RefusedBusy)
		return
	}
	defer s.stats.running.Add(-1)
	if a := accountOf(x.r); a != nil && !s.inRate(x, a, messagesOf(list)) {
		return
	}
	_, user, ok := s.authenticate(x, credentials, "Unsuccessful authentication attempt.")
	if !ok {
		return
	}
	messages, ok := s.decode(x, list)
	if !ok {
		return
	}
	q, ok := s.carryOut(x, user, messages)
	if !ok {
		return
	}
	s.result(x, q)
}

// envelope takes a request apart: the credentials and the commands in it, or what is wrong.
func (s *Server) envelope(body []byte) (credentials, list []byte, problem string) {
	var token, authData []byte
	if body[blank(body, 0)] == '{' {
		members(body, func(key, value []byte) {
			switch string(key) {
			case "token":
				token = value
			case "authData":
				authData = value
			case "body":
				list = value
			}
		})
	}
	credentials = []byte("{}")
	switch {
	case list == nil || isFalse(list):
		return nil, nil, `Invalid message: the "body" parameter must exist.`
	case list[0] != '[' || isEmpty(list):
		return nil, nil, `Invalid message: the "body" parameter must be a non-empty array of Objects.`
	case s.opts.API.CommandsMax > 0 && count(list) > s.opts.API.CommandsMax:
		return nil, nil, fmt.Sprintf(`Invalid message: the "body" parameter must not have more than %d commands.`, s.opts.API.CommandsMax)
	case authData != nil && !s.opts.API.AllowAuthData:
		return nil, nil, "Authentication using authData is disabled. Try using a token instead."
	case authData != nil && authData[0] != '{':
		return nil, nil, `Invalid message: the "authData" parameter must be an object`
	case authData != nil:
		credentials = authData
	case token != nil && (!isText(token) || len(text(token)) == 0):
		return nil, nil, `Invalid message: the "token" parameter must be a non-empty string`
	case token != nil:
		credentials = tokenData(token)
	}
	return credentials, list, ""
}

// decode reads all commands, or answers which one is wrong.
func (s *Server) decode(x *exchange, list []byte) ([]protocol.Message, bool) {
	n := count(list)
	if !x.take(n * commandCost) {
		x.busy(RefusedMemory)
		return nil, false
	}
	messages := make([]protocol.Message, n)
	wrong, index := error(nil), 0
	elements(list, func(i int, value []byte) bool {
		wrong, index = decodeCommand(&messages[i], value, &s.ids), i
		return wrong == nil
	})
	if wrong != nil {
		x.refuse(RefusedMessage, http.StatusBadRequest, fmt.Sprintf("Failed to parse JIF object at index %d. Reason: %v", index, wrong))
		return nil, false
	}
	return messages, true
}

// carryOut has the node carry out the messages and waits for their answers, for RequestTimeout at most.
func (s *Server) carryOut(x *exchange, user *permission.User, messages []protocol.Message) (*session.Request, bool) {
	room := &answerRoom{s: s}
	defer func() { x.held += room.taken.Load() }() // given back with the rest
	q := &session.Request{User: user, Messages: messages, Take: room.take}
	if err := s.opts.Node.Do(q); err != nil {
		why := RefusedBusy
		if !errors.Is(err, session.ErrRequests) {
			why = RefusedNotReady
		}
		x.busy(why)
		return nil, false
	}
	s.stats.commands.Add(uint64(len(messages)))
	timeout := time.NewTimer(s.opts.API.RequestTimeout)
	defer timeout.Stop()
	select {
	case <-q.Done():
		return q, true
	case <-timeout.C:
		s.opts.Node.GiveUp(q)
	case <-s.stopped:
	}
	select {
	case <-q.Done():
		s.noteTimeouts(q)
		return q, true
	case <-s.stopped: // the answers may still be written: nobody looks at them
		x.busy(RefusedNotReady)
		return nil, false
	}
}

func (s *Server) noteTimeouts(q *session.Request) {
	missing := 0
	for i := range q.Answers {
		if q.Answers[i].Topic == 0 {
			missing++
		}
	}
	if missing > 0 {
		s.stats.timeouts.Add(uint64(missing))
		s.warnings.Warn("late", "an HTTP request had no answer in time", "event", "HTTP_REQUEST_TIMEOUT", "commands", len(q.Messages), "missing", missing)
	}
}

// answerRoom is the room for the answers of one request. Its take is called on a loop.
type answerRoom struct {
	s     *Server
	taken atomic.Int64
}

func (r *answerRoom) take(n int) bool {
	if r.taken.Load()+int64(n) > int64(r.s.opts.AnswerBytesMax) || r.s.stats.memory.Load()+int64(n) > r.s.opts.MemoryBytesMax {
		return false
	}
	r.taken.Add(int64(n))
	r.s.stats.memory.Add(int64(n))
	return true
}
