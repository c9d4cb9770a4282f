package posthaste;

import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Runs one named scenario in the topic given: {@code Main SCENARIO BOOTSTRAP TOPIC}; without arguments, lists them. */
public final class Main {
    /** A claim about the broker; it throws when the claim is false. */
    interface Scenario {
        void run(Session session) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, Scenario> scenarios = new TreeMap<>();
        for (Map<String, Scenario> group : List.of(Records.SCENARIOS, Groups.SCENARIOS, ConsumerGroups.SCENARIOS, Offsets.SCENARIOS,
                Topics.SCENARIOS, Configs.SCENARIOS, Transactions.SCENARIOS)) {
            scenarios.putAll(group);
        }
        if (arguments.length == 0) {
            scenarios.keySet().forEach(System.out::println);
            return;
        }
        Scenario scenario = scenarios.get(arguments[0]);
        if (scenario == null) {
            throw new IllegalArgumentException("no scenario " + arguments[0]);
        }
        scenario.run(new Session(arguments[1], arguments[2]));
    }
}
