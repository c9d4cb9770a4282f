package posthaste.speaker;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;

/** Speaks Kafka's protocol with Kafka's own message classes: a command a line comes in as JSON, an outcome a line goes out. */
public final class Main {
    static final ObjectMapper JSON = new ObjectMapper();

    private final Map<String, Connection> connections = new HashMap<>();

    public static void main(String[] arguments) throws IOException {
        Main speaker = new Main();
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        PrintStream outcomes = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        for (String line = commands.readLine(); line != null; line = commands.readLine()) {
            outcomes.println(JSON.writeValueAsString(speaker.outcome(JSON.readTree(line))));
        }
    }

    /** What cannot be said in the protocol is a mistake of the scenario, which is told as a fault. */
    private ObjectNode outcome(JsonNode command) {
        try {
            return obey(command);
        } catch (IOException | ReflectiveOperationException | RuntimeException fault) {
            Throwable cause = fault.getCause() == null ? fault : fault.getCause();
            return JSON.createObjectNode().put("fault", cause.toString());
        }
    }

    private ObjectNode obey(JsonNode command) throws IOException, ReflectiveOperationException {
        String name = command.path("connection").asText();
        switch (command.path("do").asText()) {
            case "open":
                connections.put(name, new Connection(command.get("port").asInt()));
                return JSON.createObjectNode();
            case "send":
                return connections.get(name).send(command);
            case "receive":
                return connections.get(name).receive(command.get("timeoutMs").asInt());
            case "close":
                connections.remove(name).close();
                return JSON.createObjectNode();
            default:
                throw new IllegalArgumentException("unknown command " + command);
        }
    }
}
