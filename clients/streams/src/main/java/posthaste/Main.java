package posthaste;

import java.nio.file.Path;

/** {@code Main STEP BOOTSTRAP NAME ...}: the application itself, or a step of a scenario around it. */
public final class Main {
    public static void main(String[] arguments) throws Exception {
        String bootstrap = arguments[1];
        String name = arguments[2];
        switch (arguments[0]) {
            case "count" -> WordCount.run(bootstrap, name, arguments[3], Path.of(arguments[4]));
            case "create" -> Lines.create(bootstrap, name);
            case "send" -> Lines.send(bootstrap, name, number(arguments[3]), number(arguments[4]));
            case "send-until-told" -> Lines.sendUntilTold(bootstrap, name);
            case "expect-some" -> Lines.expectSome(bootstrap, name, number(arguments[3]));
            case "expect-every-step" -> Lines.expectEveryStep(bootstrap, name, number(arguments[3]));
            default -> throw new IllegalArgumentException("no step " + arguments[0]);
        }
    }

    private static int number(String argument) {
        return Integer.parseInt(argument);
    }
}
