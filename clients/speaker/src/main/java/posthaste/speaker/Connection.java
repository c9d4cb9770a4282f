package posthaste.speaker;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.HexFormat;
import java.util.Queue;

/** One connection to a broker, and the requests on it that are not answered yet. */
final class Connection {
    private static final int ANSWER_BYTES_MAX = 64 << 20;
    private static final int CONNECT_MS_MAX = 5_000;

    /** A request that waits for its answer. */
    private record Asked(int correlationId, String api, short answerVersion) {}

    private final Socket socket = new Socket();
    private final DataInputStream input;
    private final Queue<Asked> unanswered = new ArrayDeque<>();
    private int correlationId;

    Connection(int port) throws IOException {
        socket.connect(new InetSocketAddress("127.0.0.1", port), CONNECT_MS_MAX);
        socket.setTcpNoDelay(true);
        input = new DataInputStream(socket.getInputStream());
    }

    void close() throws IOException {
        socket.close();
    }

    /** Sends a request, or bytes as they are when the command holds "hex". */
    ObjectNode send(JsonNode command) throws IOException, ReflectiveOperationException {
        ByteBuffer frame;
        correlationId++;
        if (command.has("hex")) {
            frame = ByteBuffer.wrap(HexFormat.of().parseHex(command.get("hex").asText()));
        } else {
            frame = Requests.frame(command, correlationId);
        }
        if (command.path("answered").asBoolean(true)) {
            short version = (short) command.path("version").asInt();
            short answerVersion = (short) command.path("answerVersion").asInt(version);
            unanswered.add(new Asked(correlationId, command.path("api").asText(), answerVersion));
        }
        try {
            socket.getOutputStream().write(frame.array(), frame.arrayOffset(), frame.limit());
        } catch (SocketException closed) {
            // The read that follows tells it.
            return Main.JSON.createObjectNode().put("closed", true);
        }
        return Main.JSON.createObjectNode();
    }

    /** The next answer, or that the broker closed, or that nothing came in time. */
    ObjectNode receive(int timeoutMs) throws IOException, ReflectiveOperationException {
        ObjectNode outcome = Main.JSON.createObjectNode();
        socket.setSoTimeout(timeoutMs);
        byte[] answer;
        try {
            int length = input.readInt();
            if (length < 4 || length > ANSWER_BYTES_MAX) {
                return outcome.put("fault", "an answer of " + length + " bytes");
            }
            answer = new byte[length];
            input.readFully(answer);
        } catch (SocketTimeoutException silent) {
            return outcome.put("silent", true);
        } catch (EOFException | SocketException closed) {
            return outcome.put("closed", true);
        }
        Asked asked = unanswered.remove();
        return Answers.read(ByteBuffer.wrap(answer), asked.api(), asked.answerVersion(), asked.correlationId());
    }
}
