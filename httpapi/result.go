package httpapi

import (
	"fmt"
	"strconv"
	"strings"

	"deepstream-fast/protocol"
	"deepstream-fast/session"
)

// resultChunk is the size from which on a result is sent in pieces, so that it never exists as a whole
// beside the answers it is made of.
const resultChunk = 64 << 10

// result answers a request with what came of its commands, which it forgets. Source: spec/http-api.md §4.3.
func (s *Server) result(x *exchange, q *session.Request) {
	good := 0
	for i := range q.Messages {
		if succeeded(&q.Messages[i], &q.Answers[i]) {
			good++
		}
	}
	word := "PARTIAL_SUCCESS"
	switch good {
	case 0:
		word = "FAILURE"
	case len(q.Messages):
		word = "SUCCESS"
	}
	dst := make([]byte, 0, min(64+64*len(q.Messages), 2*resultChunk))
	dst = append(append(append(dst, `{"result":"`...), word...), `","body":[`...)
	sent := false
	for i := range q.Messages {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendSlot(dst, &q.Messages[i], &q.Answers[i])
		q.Answers[i] = protocol.Message{}
		if len(dst) > resultChunk && i < len(q.Messages)-1 {
			x.piece(&sent, dst)
			dst = dst[:0]
		}
	}
	dst = append(dst, "]}"...)
	if !sent {
		x.json(dst)
		return
	}
	x.piece(&sent, append(dst, ending...))
}

// appendSlot appends what came of message m, to which a is the answer.
func appendSlot(dst []byte, m, a *protocol.Message) []byte {
	if !succeeded(m, a) {
		return appendFailure(dst, m, a)
	}
	dst = append(dst, '{')
	switch {
	case a.Topic == protocol.TopicRPC:
		dst = appendMember(dst, "data", a.Data)
	case a.Topic == protocol.TopicPresence && a.Action == protocol.PresenceQueryAllResponse:
		dst = append(appendNames(append(dst, `"users":`...), a.Names), ',')
	case a.Topic == protocol.TopicPresence:
		dst = appendMember(dst, "users", a.Data)
	case a.Topic == protocol.TopicRecord && a.Action == protocol.RecordReadResponse:
		dst = appendMember(appendNumber(dst, "version", a.Version), "data", a.Data)
	case a.Topic == protocol.TopicRecord && a.Action == protocol.RecordHeadResponse:
		dst = appendNumber(dst, "version", a.Version)
	}
	return append(dst, `"success":true}`...)
}

// succeeded reports whether a is the answer that m asks for. Source: spec/http-api.md §4.4.
func succeeded(m, a *protocol.Message) bool {
	if a.Topic != m.Topic || a.IsError {
		return false
	}
	switch a.Topic {
	case protocol.TopicEvent:
		return a.Action == protocol.EventEmit
	case protocol.TopicRPC:
		return a.Action == protocol.RPCResponse
	case protocol.TopicPresence:
		return a.Action == protocol.PresenceQueryAllResponse || a.Action == protocol.PresenceQueryResponse
	case protocol.TopicRecord:
		switch a.Action {
		case protocol.RecordReadResponse, protocol.RecordHeadResponse, protocol.RecordWriteAcknowledgement, protocol.RecordDeleteSuccess:
			return true
		case protocol.RecordNotify:
			return a.IsAck
		}
	}
	return false
}

// appendMember appends a member that is JSON already, and the comma behind it, unless it is absent.
func appendMember(dst []byte, key string, value []byte) []byte {
	if len(value) == 0 {
		return dst
	}
	dst = append(append(append(dst, '"'), key...), `":`...)
	return append(append(dst, value...), ',')
}

func appendNumber(dst []byte, key string, n int32) []byte {
	return appendMember(dst, key, strconv.AppendInt(make([]byte, 0, 11), int64(n), 10))
}

func appendText(dst []byte, key, s string) []byte {
	return appendMember(dst, key, appendQuoted(nil, s))
}

func appendNames(dst []byte, names protocol.Names) []byte {
	dst = append(dst, '[')
	it := names.Iter()
	for i := 0; it.Next(); i++ {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, string(it.Name()))
	}
	return append(dst, ']')
}

// failure is why a command has failed.
type failure struct {
	topic  string
	event  string // a JSON value; empty: absent
	name   string // of the event; empty: absent
	text   string // the error
	raw    []byte // instead of text: a JSON value
	action protocol.Action
	params bool // errorParams is the name
}

// Texts of failures that have no action of their own.
const (
	timeoutText    = "Request exceeded timeout before a response was received."
	timeoutEvent   = "HTTP_REQUEST_TIMEOUT"
	overloadText   = "The server is overloaded. The command may or may not have taken effect."
	overloadEvent  = "SERVER_OVERLOADED"
	answerText     = "The answers to this request are too large."
	answerEvent    = "ANSWER_TOO_LARGE"
	deniedEvent    = "MESSAGE_DENIED"
	deniedEmitText = "Message denied. Action 'emit' is not permitted."
)

// appendFailure appends the slot of a message that failed. The members stand as in the official server's
// answers; errorEventName is ours. Source: spec/http-api.md §4.3 to §4.6.
func appendFailure(dst []byte, m, a *protocol.Message) []byte {
	dst = append(dst, '{')
	if m.Topic == protocol.TopicEvent && a.Topic == protocol.TopicEvent {
		dst = appendText(append(dst, `"success":false,`...), "error", deniedEmitText)
		return append(dst, `"errorEvent":"MESSAGE_DENIED","errorAction":"emit","errorTopic":"event","errorEventName":"MESSAGE_DENIED"}`...)
	}
	f := failureOf(m, a)
	dst = appendText(dst, "errorTopic", f.topic)
	dst = appendMember(dst, "errorEvent", []byte(f.event))
	dst = append(dst, `"success":false,`...)
	if f.raw != nil {
		dst = appendMember(dst, "error", f.raw)
	} else if f.text != "" {
		dst = appendText(dst, "error", f.text)
	}
	if f.action != 0 {
		dst = appendNumber(dst, "action", int32(f.action))
	}
	if m.Topic == protocol.TopicRecord && (a.Action == protocol.RecordVersionExists || a.Action == protocol.RecordInvalidVersion) {
		dst = appendNumber(dst, "currentVersion", a.Version)
		data := a.Data
		if len(data) == 0 {
			data = []byte("null")
		}
		dst = appendMember(dst, "currentData", data)
	}
	if f.params {
		dst = appendText(dst, "errorParams", string(m.Name))
	}
	if f.name != "" {
		dst = appendText(dst, "errorEventName", f.name)
	}
	dst[len(dst)-1] = '}'
	return dst
}

// failureOf tells what the answer a says about m.
func failureOf(m, a *protocol.Message) failure {
	topic := strings.ToLower(m.Topic.String())
	switch {
	case a.Topic == 0:
		return failure{topic: "connection", event: `"` + timeoutEvent + `"`, name: timeoutEvent, text: timeoutText}
	case a.Topic == protocol.TopicConnection:
		return failure{topic: "connection", event: `"` + overloadEvent + `"`, name: overloadEvent, text: overloadText}
	case a.Topic == protocol.TopicParser && a.Action == protocol.ParserMaximumMessageSizeExceeded:
		return failure{topic: topic, event: `"` + answerEvent + `"`, name: answerEvent, text: answerText}
	case a.Topic == protocol.TopicRPC && a.Action == protocol.RPCRequestError:
		return failure{topic: topic, raw: a.Data}
	}
	f := failure{topic: topic, event: strconv.Itoa(int(a.Action)), name: a.Action.Name(a.Topic)}
	switch {
	case f.name == deniedEvent:
		f.action = a.OriginalAction
		if f.action == 0 {
			f.action = m.Action
		}
		f.text = fmt.Sprintf("Message denied. Action %q is not permitted.", f.action.Name(m.Topic))
	case a.Topic == protocol.TopicRecord:
		f.text = recordError(a)
	case a.Topic == protocol.TopicRPC && a.Action == protocol.RPCNoRPCProvider:
		f.text = `No provider was available to handle the RPC "` + string(m.Name) + `".`
	case a.Topic == protocol.TopicRPC && a.Action == protocol.RPCResponseTimeout:
		f.text = "The RPC response timeout was exceeded by the provider."
	}
	if f.text == "" {
		f.text, f.params = "An error occurred: "+f.name+".", len(m.Name) > 0
	}
	return f
}

// recordError words a failure of the RECORD topic that has words of its own.
func recordError(a *protocol.Message) string {
	switch a.Action {
	case protocol.RecordNotFound:
		return `Record read failed. Record "` + string(a.Name) + `" could not be found.`
	case protocol.RecordVersionExists:
		return fmt.Sprintf(`Record update failed. Version %d exists for record "%s".`, a.Version, a.Name)
	case protocol.RecordInvalidVersion:
		return fmt.Sprintf(`Record update failed. Version %d is not valid for record "%s".`, a.Version, a.Name)
	}
	return ""
}
