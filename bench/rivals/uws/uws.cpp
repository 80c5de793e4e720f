/*
 * uws.cpp: what bench/floor does, on uWebSockets: it speaks just enough of the deepstream protocol that
 * the load driver cannot tell it from a real server. Subscriptions are topics of the library, an EMIT is the
 * library's own publish(), which gathers what is pending for a socket until the end of the turn.
 *
 * Built by the rivals against the sources of the library, which are not part of this project.
 * Everything is the library's default unless a comment says otherwise.
 */
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "App.h"

namespace {

/* The same limits as those of the floors: reaching one drops the connection there, and a message here. */
constexpr unsigned backpressureBytesMax = 64u << 20; /* default 64 KiB, which a full window of 1 KiB would pass */
constexpr unsigned messageBytesMax = 1u << 20;       /* default 16 KiB */
constexpr std::size_t correlationBytesMax = 64;

enum Topic : std::uint64_t { CONNECTION = 2, AUTH = 3, EVENT = 4 };
enum Action : std::uint64_t { EMIT = 2, PING = 2, SUBSCRIBE = 3, CHALLENGE = 5 };

struct Nothing {};
using Socket = uWS::WebSocket<false, true, Nothing>;

uWS::App *app; /* set by main before anybody connects */

/* Field is one field of a protobuf message: its varint value or its bytes. */
struct Field {
	std::uint64_t number = 0, value = 0;
	std::string_view bytes;
};

bool varint(std::string_view &s, std::uint64_t &v) {
	v = 0;
	for (unsigned shift = 0; shift < 64 && !s.empty(); shift += 7) {
		auto b = static_cast<std::uint8_t>(s.front());
		s.remove_prefix(1);
		v |= static_cast<std::uint64_t>(b & 0x7f) << shift;
		if (b < 0x80) return true;
	}
	return false;
}

/* next takes one field off s. false: the end, or something broken. */
bool next(std::string_view &s, Field &f) {
	std::uint64_t tag = 0;
	if (!varint(s, tag)) return false;
	f.number = tag >> 3;
	if ((tag & 7) == 0) return varint(s, f.value);
	if ((tag & 7) != 2 || !varint(s, f.value) || f.value > s.size()) return false;
	f.bytes = s.substr(0, f.value);
	s.remove_prefix(f.value);
	return true;
}

void reply(Socket *ws, std::string_view message) { ws->send(message, uWS::OpCode::BINARY); }

/* acknowledge answers a SUBSCRIBE with its correlation id. */
void acknowledge(Socket *ws, std::string_view correlation) {
	if (correlation.size() > correlationBytesMax) return;
	std::string inner{0x08, SUBSCRIBE, 0x1a, static_cast<char>(correlation.size())};
	inner.append(correlation).append("\x28\x01", 2); /* isAck */
	std::string message{static_cast<char>(inner.size() + 4), 0x10, EVENT, 0x1a, static_cast<char>(inner.size())};
	reply(ws, message.append(inner));
}

/* publish hands a message to everybody but its sender. The library leaves out a socket only if it subscribes. */
void publish(Socket *ws, std::string_view name, std::string_view whole) {
	if (ws->isSubscribed(name)) {
		ws->publish(name, whole, uWS::OpCode::BINARY);
	} else {
		app->publish(name, whole, uWS::OpCode::BINARY);
	}
}

void onEvent(Socket *ws, std::string_view body, std::string_view whole) {
	Field f;
	std::uint64_t action = 0;
	std::string_view name, correlation;
	while (next(body, f)) {
		if (f.number == 1) action = f.value;
		if (f.number == 3) correlation = f.bytes;
		if (f.number == 6) name = f.bytes;
		if (f.number == 7 && action == SUBSCRIBE) ws->subscribe(f.bytes);
	}
	if (action == SUBSCRIBE) acknowledge(ws, correlation);
	if (action == EMIT) publish(ws, name, whole);
}

/* onMessage takes one frame's payload: a length, then the envelope {2: topic, 3: message}. */
void onMessage(Socket *ws, std::string_view whole) {
	using namespace std::string_view_literals;
	std::uint64_t length = 0, topic = 0, action = 0;
	std::string_view s = whole, body, walk;
	if (!varint(s, length) || length > s.size()) return;
	s = s.substr(0, length);
	for (Field f; next(s, f);) {
		if (f.number == 2) topic = f.value;
		if (f.number == 3) body = f.bytes;
	}
	if (topic == EVENT) return onEvent(ws, body, whole);
	if (topic == AUTH) return reply(ws, "\x06\x10\x03\x1a\x02\x08\x03"sv);
	if (topic != CONNECTION) return;
	walk = body;
	if (Field f; next(walk, f) && f.number == 1) action = f.value;
	if (action == CHALLENGE) reply(ws, "\x06\x10\x02\x1a\x02\x08\x04"sv);
	if (action == PING) reply(ws, "\x06\x10\x02\x1a\x02\x08\x03"sv);
}

} // namespace

int main(int argc, char **argv) {
	if (argc != 2) {
		std::fprintf(stderr, "usage: %s port\n", argv[0]);
		return 2;
	}
	uWS::App::WebSocketBehavior<Nothing> behavior{};
	behavior.maxPayloadLength = messageBytesMax;
	behavior.maxBackpressure = backpressureBytesMax;
	behavior.idleTimeout = 0; /* the driver answers no pings */
	behavior.message = [](Socket *ws, std::string_view message, uWS::OpCode) { onMessage(ws, message); };
	uWS::App server;
	app = &server;
	server.ws<Nothing>("/*", std::move(behavior));
	server.listen("127.0.0.1", std::atoi(argv[1]), [](us_listen_socket_t *listener) {
		if (listener != nullptr) return;
		std::fprintf(stderr, "uws: cannot listen\n");
		std::exit(1);
	});
	server.run();
}
