package posthaste.letters

import org.springframework.boot.autoconfigure.SpringBootApplication
import org.springframework.boot.runApplication

/** A small service around Kafka, as a user of Spring Boot writes it; scenarios drive it over HTTP. */
@SpringBootApplication
class Application

fun main(arguments: Array<String>) {
    runApplication<Application>(*arguments)
}
