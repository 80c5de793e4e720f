package session

import (
	"bytes"
	"sync"
	"time"

	"deepstream-fast/auth"
	"deepstream-fast/codec/ws"
	"deepstream-fast/engine"
	"deepstream-fast/lazyjson"
	"deepstream-fast/permission"
	"deepstream-fast/protocol"
)

// undecodable answers bytes that are no message, by phase. The connection stays: source
// spec/wire.md §9.
func (l *Loop) undecodable(c *engine.Conn, s *conn) {
	switch s.phase {
	case phaseChallenge:
		l.answer(c, protocol.TopicConnection, protocol.ConnectionInvalidMessage)
	case phaseOpen:
		l.answer(c, protocol.TopicParser, protocol.ParserUnknownTopic)
	default:
		l.answer(c, protocol.TopicAuth, protocol.AuthInvalidMessage)
	}
}

// answer sends a message that consists of its action.
func (l *Loop) answer(c *engine.Conn, topic protocol.Topic, action protocol.Action) {
	l.reply = protocol.Message{Topic: topic, Action: action}
	l.Reply(c.ID(), &l.reply)
}

// dispatch hands a message to whom it concerns in the connection's phase.
func (l *Loop) dispatch(c *engine.Conn, s *conn, m *protocol.Message) {
	if m.Topic == protocol.TopicConnection && m.Action == protocol.ConnectionPing {
		l.answer(c, protocol.TopicConnection, protocol.ConnectionPong) // in every phase: quirk Q51
		return
	}
	switch s.phase {
	case phaseOpen:
		l.route(c, s, m)
	case phaseChallenge:
		l.challenge(c, s, m)
	case phaseLogin:
		l.loginMessage(c, s, m)
	case phaseAuthenticating:
		if m.Topic != protocol.TopicAuth { // a second login is ignored: quirk Q9
			l.answer(c, protocol.TopicAuth, protocol.AuthInvalidMessage)
		}
	}
}

// challenge handles P1.
func (l *Loop) challenge(c *engine.Conn, s *conn, m *protocol.Message) {
	switch {
	case m.Topic != protocol.TopicConnection:
		l.answer(c, protocol.TopicConnection, protocol.ConnectionInvalidMessage)
	case m.Action == protocol.ConnectionChallenge:
		s.phase = phaseLogin
		s.modern = understandsMulti(m)
		l.answer(c, protocol.TopicConnection, protocol.ConnectionAccept)
	}
}

// loginMessage handles P2.
func (l *Loop) loginMessage(c *engine.Conn, s *conn, m *protocol.Message) {
	switch {
	case m.Topic != protocol.TopicAuth:
		l.answer(c, protocol.TopicAuth, protocol.AuthInvalidMessage)
	case m.Action != protocol.AuthRequest || !isObject(m.Data):
		l.answer(c, protocol.TopicAuth, protocol.AuthInvalidMessageData)
		l.eng.Close(c, ws.ClosePolicyViolation, "invalid login message")
	default:
		l.authenticate(c, s, m.Data)
	}
}

// isObject reports whether b is the JSON text of an object.
func isObject(b []byte) bool {
	b = bytes.TrimLeft(b, " \t\r\n")
	return len(b) > 0 && b[0] == '{' && lazyjson.Valid(b)
}

// authenticate starts the judgement of one login; the answer may come at once or by mail.
func (l *Loop) authenticate(c *engine.Conn, s *conn, credentials []byte) {
	s.phase = phaseAuthenticating
	s.attempt++
	attempt, id := s.attempt, c.ID()
	s.login.request = &auth.Request{
		RemoteAddr: s.login.remote, Header: s.login.header, Headers: s.login.headers, Data: bytes.Clone(credentials),
	}
	v := &verdict{}
	l.node.opts.Auth.Authenticate(s.login.request, func(r auth.Result) {
		if v.late(r) {
			l.eng.PostSelf(engine.Mail{Kind: mailCall, Body: func(l *Loop) { l.judged(id, attempt, r) }})
		}
	})
	if r := v.early(); r != nil {
		l.judged(id, attempt, *r)
	}
}

// verdict is where the result of a login meets the loop that asked for it: one that is there when
// Authenticate returns is taken on the spot, a later one comes by mail.
type verdict struct {
	mu       sync.Mutex // guards the fields below; a leaf
	returned bool
	result   *auth.Result
}

// late keeps r for early, or reports that it comes too late for that. Safe on any goroutine.
func (v *verdict) late(r auth.Result) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.returned {
		v.result = &r
	}
	return v.returned
}

// early returns the result that is there already, or nil.
func (v *verdict) early() *auth.Result {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.returned = true
	return v.result
}

// judged ends a login, unless the connection has gone meanwhile.
func (l *Loop) judged(id protocol.ConnID, attempt uint32, r auth.Result) {
	c := l.eng.Conn(id)
	if c == nil || !c.IsOpen() {
		return
	}
	s := l.conns.at(c.Slot())
	if s.phase != phaseAuthenticating || s.attempt != attempt {
		return
	}
	if r.Valid && len(r.ID) <= userIDBytesMax {
		l.loggedIn(c, s, r)
		return
	}
	l.refuseLogin(c, s, r)
}

// userIDBytesMax bounds a user id, which presence sends to everybody who asks.
const userIDBytesMax = 4 << 10

func (l *Loop) loggedIn(c *engine.Conn, s *conn, r auth.Result) {
	if r.ID == "" {
		r.ID = auth.IDAnonymous
	}
	l.endLogin(s)
	l.limits.begin(c.Slot())
	s.phase = phaseOpen
	s.id, s.user = c.ID(), userOf(r)
	l.eng.Trust(c)
	l.node.stats.logins.Add(1)
	l.node.stats.online.Add(1)
	l.reply = protocol.Message{Topic: protocol.TopicAuth, Action: protocol.AuthSuccessful, Data: r.ClientData}
	l.Reply(c.ID(), &l.reply)
	l.presenceLogin(c.ID(), r.ID)
	l.expire(c, s, r.Expires)
}

// expirySpanMax is the longest that a timer for the end of a session is set for. Where more is left, the
// next one is set then, so that a clock that was put right meanwhile counts. Tests have less.
const expirySpanMax = 24 * time.Hour

// expire ends the session at the given time; zero: never.
func (l *Loop) expire(c *engine.Conn, s *conn, at time.Time) {
	if at.IsZero() {
		return
	}
	span := min(max(time.Until(at), 0), l.node.expirySpanMax)
	s.login = &login{expires: at, timer: l.eng.StartTimer(span, timerExpiry, uint64(c.ID()))}
}

// sessionExpired closes a connection whose credentials are good no longer. It is told nothing before: in
// this state the official client takes a refusal for a mistake. It comes back by itself, logs in with the
// same credentials, and tells its application when they are refused.
func (l *Loop) sessionExpired(id protocol.ConnID) {
	c := l.eng.Conn(id)
	if c == nil || !c.IsOpen() {
		return
	}
	s := l.conns.at(c.Slot())
	if s.phase != phaseOpen || s.login == nil {
		return
	}
	if time.Now().Before(s.login.expires) {
		l.expire(c, s, s.login.expires)
		return
	}
	l.node.stats.expired.Add(1)
	l.eng.Close(c, ws.ClosePolicyViolation, "session expired")
}

// anonymous is the user of all connections that gave no name: most of them, on some servers.
var anonymous = &permission.User{ID: auth.IDOpen}

func userOf(r auth.Result) *permission.User {
	if r.ID == auth.IDOpen && r.ClientData == nil && r.ServerData == nil {
		return anonymous
	}
	return &permission.User{ID: r.ID, ClientData: r.ClientData, ServerData: r.ServerData}
}

// refuseLogin answers a failed login. The order of the messages before the close keeps the client
// from trying the same credentials again: spec/connection.md §3.1.
func (l *Loop) refuseLogin(c *engine.Conn, s *conn, r auth.Result) {
	l.node.stats.loginFailures.Add(1)
	s.phase = phaseLogin
	s.login.failures++
	if l.node.opts.LogInvalidAuthData {
		data := s.login.request.Data
		l.node.opts.Log.Info("login refused", "event", "AUTH_UNSUCCESSFUL", "remote", s.login.remote, "authData", string(data[:min(len(data), loggedBytesMax)]))
	}
	s.login.request = nil
	l.reply = protocol.Message{Topic: protocol.TopicAuth, Action: protocol.AuthUnsuccessful, Data: r.ClientData}
	l.Reply(c.ID(), &l.reply)
	if s.login.failures >= l.node.opts.AuthAttemptsMax {
		l.answer(c, protocol.TopicAuth, protocol.AuthTooManyAuthAttempts)
		l.eng.Close(c, ws.ClosePolicyViolation, "too many authentication attempts")
	}
}

// loggedBytesMax bounds what of refused credentials is logged, if that is asked for.
const loggedBytesMax = 4 << 10

// endLogin drops what was kept for the login. Nobody waits any more for a judgement under way.
func (l *Loop) endLogin(s *conn) {
	if s.login != nil && s.login.timer != 0 {
		l.eng.StopTimer(s.login.timer)
	}
	if s.login != nil && s.login.request != nil {
		s.login.request.Abandon()
	}
	s.login = nil
}

func (l *Loop) loginTimeout(id protocol.ConnID) {
	c := l.eng.Conn(id)
	if c == nil || !c.IsOpen() {
		return
	}
	s := l.conns.at(c.Slot())
	if s.phase == phaseOpen || s.phase == phaseClosed {
		return
	}
	l.node.stats.authTimeouts.Add(1)
	l.answer(c, protocol.TopicConnection, protocol.ConnectionAuthenticationTimeout)
	l.eng.Close(c, ws.ClosePolicyViolation, "authentication timeout")
}
